//! Our services in servers that are somebody else's, our clients over connections that are somebody else's,
//! and somebody else's client against ours.

mod clients;
mod compression;
mod gateway;
mod irohs_router;
mod layers;
mod metadata;
mod tonics_client;
mod tonics_server;
