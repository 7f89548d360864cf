//! Our services in the servers of tonic and iroh, our clients over their connections, and their clients against
//! our servers.

mod clients;
mod compression;
mod gateway;
mod irohs_router;
mod layers;
mod metadata;
mod tonics_client;
mod tonics_server;
