//! Two ends over a pipe in memory, one end over bytes that no honest peer would send, and the cases of the
//! framing's own tests over the multiplexer.

mod calls;
mod ends;
mod examples;
mod flow;
mod life;
mod limits;
mod peers;
mod rules;
