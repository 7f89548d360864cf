//! How a [`Channel`](polywire::Channel) chooses between two transports by what it measures, in simulated weather: the
//! real channel, over transports that take as long and fail as often as a script says, in virtual time. Nothing but the
//! script and a seed decides what happens, so that each run is the same.

mod plot;
mod run;
mod scenario;
mod way;
mod words;

pub use plot::plot;
pub use run::{COLUMNS, Called, Run, run};
pub use scenario::{SCENARIOS, Scenario};
pub use way::Weather;
