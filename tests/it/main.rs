//! Scenarios over the product and the simulators, in one binary: linking costs more than running.

mod upstream;
