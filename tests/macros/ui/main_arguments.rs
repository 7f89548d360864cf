#[polywire::main]
fn node(port: u16) -> polywire::Status {
    polywire::Status::internal(port.to_string())
}
