//! The access class of each method, in the comment of its descriptor: clients show it with the documentation.

use polywire::{Router, Service as _};
use prost_reflect::{
    FileDescriptor,
    prost_types::{FileDescriptorProto, SourceCodeInfo, source_code_info::Location},
};

/// The numbers of `FileDescriptorProto.service` and `ServiceDescriptorProto.method`, of which the path of a location is
/// made: [descriptor.proto](https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto).
const SERVICE: i32 = 6;
const METHOD: i32 = 2;

/// The file's descriptor, whose methods say their classes where this router has them.
pub(super) fn described(file: &FileDescriptor, router: &Router) -> FileDescriptorProto {
    let mut described = file.file_descriptor_proto().clone();
    let services = &file.file_descriptor_proto().service;
    // By their places in the file: indices of a pool count the services of all files.
    for (at, service) in services.iter().enumerate() {
        let name = match file.package_name() {
            "" => service.name().to_owned(),
            package => format!("{package}.{}", service.name()),
        };
        for (method_at, method) in service.method.iter().enumerate() {
            let path = format!("/{name}/{}", method.name());
            let (Some(known), Some(place)) = (router.method(&path), place(at, method_at)) else { continue };
            let source = described.source_code_info.get_or_insert_default();
            let comment = comment_of(source, place);
            comment.push_str(&format!(" Access: {}.\n", known.access_class()));
        }
    }
    described
}

fn place(service: usize, method: usize) -> Option<[i32; 4]> {
    Some([SERVICE, service.try_into().ok()?, METHOD, method.try_into().ok()?])
}

/// The comment before what is at this place.
fn comment_of(source: &mut SourceCodeInfo, place: [i32; 4]) -> &mut String {
    let known = source.location.iter().position(|location| location.path == place);
    let index = known.unwrap_or_else(|| {
        // A span has three numbers at least; a schema without its source has no lines.
        source.location.push(Location { path: place.to_vec(), span: vec![0, 0, 0], ..Location::default() });
        source.location.len() - 1
    });
    source.location[index].leading_comments.get_or_insert_default()
}
