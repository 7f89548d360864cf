//! What every command of `polywire-node` has in common: how it fails, ends, explains itself and names what it calls.

mod failures;
mod help;
mod names;
mod pipes;
