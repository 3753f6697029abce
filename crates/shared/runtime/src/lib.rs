//! A device without its hardware: session, guests, journal.
