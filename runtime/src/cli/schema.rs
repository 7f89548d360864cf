//! What is known of a method before it is called, and where that comes from.

use bytes::Bytes;
use prost_reflect::{
    DescriptorPool, MethodDescriptor, ServiceDescriptor, prost_types::method_options::IdempotencyLevel,
};
use tracing::debug;

use super::{
    call::{Form, MethodName},
    directory::{self, Service},
    failure::Failure,
    lanes::Lanes,
    reflection,
};
use crate::{Code, Metadata, Shape, Status};

/// The transport that strangers answer on.
const GRPC: &str = "grpc";

/// How a method is called.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) form: Form,
    /// `None` where nobody says: then it is called as the shape that every other is a case of.
    pub(super) shape: Option<Shape>,
    pub(super) idempotent: bool,
}

/// Looks for the method in the descriptors of this binary, then asks the target's reflection, then its
/// directory.
///
/// # Errors
/// `Unimplemented` when a source knows everything that is served, and not this method; the status of
/// a target that cannot be asked.
pub(super) async fn find(
    lanes: &Lanes,
    sets: &[Bytes],
    metadata: &Metadata,
    method: &MethodName,
) -> Result<Schema, Failure> {
    let own = compiled_in(sets).get_service_by_name(method.service());
    if let Some(descriptor) = own.and_then(|service| named(&service, method)) {
        debug!(method = method.path(), "the schema is compiled in");
        return Ok(Schema::described(&descriptor));
    }
    let reflection = match reflection::describe(lanes, metadata, method.service()).await {
        Ok(pool) => match pool.get_service_by_name(method.service()) {
            Some(service) => return reflected(&service, method),
            None => Status::not_found("its answer lacks the service"),
        },
        Err(status) if is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %reflection, "no schema from reflection");
    let directory = match directory::list(lanes, metadata).await {
        Ok(services) => {
            let schema = listed(&services, method)?;
            eprintln!(
                "note: nobody has the schema of {}: JSON is sent by Rust field names, and a name that is not one is ignored",
                method.service()
            );
            return Ok(schema);
        }
        Err(status) if is_final(&status) => return Err(status.into()),
        Err(status) => status,
    };
    debug!(method = method.path(), status = %directory, "no shape from the directory");
    undescribed(lanes, method, &reflection, &directory)
}

/// What is left to do where nobody has a schema, and why.
fn undescribed(
    lanes: &Lanes,
    method: &MethodName,
    reflection: &Status,
    directory: &Status,
) -> Result<Schema, Failure> {
    let service = method.service();
    // Whoever answers on our framing reads MessagePack by field names; gRPC servers in general do not.
    if lanes.transport() != GRPC {
        return Ok(Schema { form: Form::Plain, shape: None, idempotent: false });
    }
    if reflection.code() == Code::NotFound {
        let reason = format!("the target's reflection knows no service {service}");
        return Err(Status::unimplemented(reason).not_processed().into());
    }
    Err(Failure::other(format!(
        "the messages of {service} are not known: this binary has no descriptor of it, the target's reflection \
         answers {reflection}, its directory {directory}"
    )))
}

/// Whether calling the method twice does what calling it once does, according to the target's directory.
pub(super) async fn is_idempotent(lanes: &Lanes, metadata: &Metadata, method: &MethodName) -> bool {
    let services = directory::list(lanes, metadata).await.unwrap_or_default();
    listed(&services, method).is_ok_and(|schema| schema.idempotent)
}

impl Schema {
    fn described(method: &MethodDescriptor) -> Self {
        Self {
            form: Form::Described { input: method.input(), output: method.output() },
            shape: Some(directory::shape(method.is_client_streaming(), method.is_server_streaming())),
            idempotent: is_repeatable(method),
        }
    }
}

/// Whether the method's options say that it may be called twice.
pub(super) fn is_repeatable(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

/// The descriptors of this binary. A set that contradicts an earlier one is left out.
fn compiled_in(sets: &[Bytes]) -> DescriptorPool {
    let mut pool = DescriptorPool::new();
    for set in sets {
        if let Err(error) = pool.decode_file_descriptor_set(set.clone()) {
            debug!(%error, "a descriptor set of this binary was left out");
        }
    }
    pool
}

fn reflected(service: &ServiceDescriptor, method: &MethodName) -> Result<Schema, Failure> {
    debug!(method = method.path(), "the schema comes from reflection");
    match named(service, method) {
        Some(descriptor) => Ok(Schema::described(&descriptor)),
        None => {
            let names: Vec<_> = service.methods().map(|method| method.name().to_owned()).collect();
            Err(not_served(method, &format!("{} has", method.service()), &names).into())
        }
    }
}

fn listed(services: &[Service], method: &MethodName) -> Result<Schema, Status> {
    let Some(service) = services.iter().find(|service| service.name == method.service()) else {
        let names: Vec<_> = services.iter().map(|service| service.name.clone()).collect();
        return Err(not_served(method, "the target serves", &names));
    };
    let Some(found) = service.methods.iter().find(|found| found.name == method.name()) else {
        let names: Vec<_> = service.methods.iter().map(|method| method.name.clone()).collect();
        return Err(not_served(method, &format!("{} has", method.service()), &names));
    };
    Ok(Schema { form: Form::Plain, shape: Some(found.shape()), idempotent: found.idempotent })
}

fn named(service: &ServiceDescriptor, method: &MethodName) -> Option<MethodDescriptor> {
    service.methods().find(|candidate| candidate.name() == method.name())
}

fn not_served(method: &MethodName, who: &str, names: &[String]) -> Status {
    let path = method.path();
    Status::unimplemented(format!("no method {path} is served here; {who} {}", names.join(", ")))
        .not_processed()
}

/// Whether the target cannot be asked at all, so that there is no point in asking it something else.
fn is_final(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}
