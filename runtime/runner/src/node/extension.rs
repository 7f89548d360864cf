use super::NodeBuilder;

/// Services, components, schemas and commands that are added to a node together, by
/// [`NodeBuilder::with`].
///
/// A crate that brings more than one of them returns an extension, so that a node's assembly names the crate once. Every
/// function from builder to builder is one.
///
/// ```
/// use polywire::{Node, NodeBuilder};
///
/// /// Adds the schemas that reflection needs.
/// fn schemas(node: NodeBuilder) -> NodeBuilder {
///     node.descriptors(&b""[..])
/// }
///
/// let node = Node::builder().with(schemas);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not extend a node",
    label = "not a node extension",
    note = "pass a function `fn(polywire::NodeBuilder) -> polywire::NodeBuilder`, or what a function such as \
            `polywire_services::cluster()` returns"
)]
pub trait NodeExtension {
    /// Adds everything to the builder and returns it.
    fn extend(self, node: NodeBuilder) -> NodeBuilder;
}

impl<F: FnOnce(NodeBuilder) -> NodeBuilder> NodeExtension for F {
    fn extend(self, node: NodeBuilder) -> NodeBuilder {
        self(node)
    }
}
