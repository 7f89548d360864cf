#[polywire::main(flavor = "current_thread")]
fn node<T>() -> polywire::Status {
    polywire::Status::internal("")
}
