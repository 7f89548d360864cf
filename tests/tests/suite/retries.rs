//! Calls that a connection certainly did not take are made again, in every shape, and callers do not notice.

mod aging;
mod first;
mod streams;
