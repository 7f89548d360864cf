use std::error::Error;

use crate::node::NodeBuilder;

/// The return type of a function under `#[polywire::main]`: a node builder, or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node",
    label = "not a node",
    note = "return a `polywire::NodeBuilder`, or a `Result` of one"
)]
pub trait IntoNodeBuilder {
    #[doc(hidden)]
    fn into_node_builder(self) -> Result<NodeBuilder, Box<dyn Error + Send + Sync>>;
}

/// A node builder, or the error of creating it.
pub(super) type Made = Result<NodeBuilder, Box<dyn Error + Send + Sync>>;

impl IntoNodeBuilder for NodeBuilder {
    fn into_node_builder(self) -> Made {
        Ok(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> IntoNodeBuilder for Result<NodeBuilder, E> {
    fn into_node_builder(self) -> Made {
        self.map_err(Into::into)
    }
}
