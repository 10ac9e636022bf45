"""From messages of any rates to steps of the control rate: pairing by stamp, episodes, executed motion, and what cannot be used."""
