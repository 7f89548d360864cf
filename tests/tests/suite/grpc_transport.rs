//! What is particular to gRPC: HTTP/2, and the clients and servers of others.

mod certainty;
mod headers;
mod keep_alive;
mod lengths;
