//! The simulated My Number card.
