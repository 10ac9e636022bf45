"""The bundle that a node computes with, and the next one: loaded, checked and warmed up in a thread while the node goes on."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from rclpy.parameter import Parameter
from rclpy.task import Future
from wm_msgs.srv import PrepareBundle

from wm_core.bundle import Bundle, BundleError
from wm_core.lifecycle import WmNode
from wm_core.memory import return_free_memory
from wm_core.paths import bundles_dir


class Kit(Protocol):
    """All that a node computes with one bundle."""

    @property
    def bundle(self) -> Bundle: ...


K = TypeVar("K", bound=Kit)


class BundleSlot(Generic[K]):
    """Offers the node's service `prepare_bundle`; the node says when to `adopt` what was prepared.

    The node has the parameters `bundle` (folder, empty: the shipped one) and `threads`. All but the thread that builds runs in the
    node's executor.
    """

    def __init__(self, node: WmNode, build: Callable[[Bundle], K]) -> None:
        """`build` makes the kit of a bundle, warmed up, in any thread, and shares nothing with that of another.

        It raises ValueError when the node cannot work with the bundle as it is configured; so does this.
        """
        self._node = node
        self._build = build
        self.current = build(self._load(node.value("bundle")))
        self.next: K | None = None
        self._busy = False
        self._closed = False
        node.service(PrepareBundle, "~/prepare_bundle", self._on_prepare)

    def adopt(self, model_id: str) -> K | None:
        """Compute with the prepared bundle from now on if this is its id; returns the kit that is left, None otherwise."""
        if self.next is None or self.next.bundle.id != model_id:
            return None
        before, self.current, self.next = self.current, self.next, None
        # What the node is configured with: activated anew, it would load this one.
        self._node.set_parameters([Parameter("bundle", value=str(self.current.bundle.path))])
        self._node.get_logger().info(f"computes with {model_id}, no longer with {before.bundle.id}")
        return before

    def close(self) -> None:
        """Nobody waits any more for what is being prepared."""
        self._closed = True

    def _load(self, folder: str) -> Bundle:
        return Bundle.load(Path(folder) if folder else bundles_dir() / "default", self._node.value("threads"))

    async def _on_prepare(
        self, request: PrepareBundle.Request, response: PrepareBundle.Response
    ) -> PrepareBundle.Response:
        if self._busy:
            raise BundleError("expected one bundle at a time, another is still being prepared; ask again later")
        self._busy = True
        done = Future()
        threading.Thread(target=self._prepare, args=(request.folder, done), daemon=True).start()
        try:
            found = await done
        finally:
            self._busy = False
        if isinstance(found, Exception):
            try:
                raise found
            finally:
                del found  # else it and this frame hold each other
        self.next = found
        response.success, response.model_id = True, (self.current if found is None else found).bundle.id
        response.message = "in use already" if found is None else "prepared"
        return response

    def _prepare(self, folder: str, done: Future) -> None:
        """In the thread: the kit, None for the bundle that is in use already, or why not."""
        try:
            bundle = self._load(folder)
            result: K | Exception | None = None if self._in_use(bundle) else self._build(bundle)
        except Exception as error:  # whatever it is, the service says it, and does not keep what was loaded
            result = error.with_traceback(None)
            result.__cause__ = result.__context__ = None
        return_free_memory()
        if not self._closed:
            done.set_result(result)

    def _in_use(self, bundle: Bundle) -> bool:
        """Whether this is the current one; raises BundleError when it cannot take its place while the node runs."""
        current = self.current.bundle
        if bundle.id == current.id:
            if bundle.spec != current.spec:
                raise BundleError(
                    f"{bundle.path}: expected a bundle with an id of its own, '{bundle.id}' is another one that is in use"
                )
            return True
        differs = current.action.mismatch(bundle.action)
        if differs is None and bundle.step_duration != current.step_duration:
            differs = f"expected step_duration {current.step_duration}, got {bundle.step_duration}"
        if differs is not None:
            raise BundleError(f"{bundle.path}: {differs}, unlike the bundle in use; restart the nodes with it")
        return False
