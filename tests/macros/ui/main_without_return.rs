#[polywire::main]
fn node() {}
