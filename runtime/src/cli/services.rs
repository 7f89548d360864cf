//! `services`.

use std::{
    future::Future,
    io::{self, Write as _},
};

use serde::Serialize;

use super::{
    args::ServicesArgs, directory, failure::Failure, flags::Flags, interrupt::Interrupt, lanes::Lanes, log,
    node::Made, reflection, settings,
};
use crate::{Code, Metadata, Shape, Status, Target, node::ServiceOverview};

pub(super) async fn services(
    args: ServicesArgs,
    flags: Flags,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    log::init_client(args.connect.verbose);
    let services = match &args.target {
        Some(target) => remote(target, &args).await?,
        None => {
            let config = settings::load(&args.config, flags)?.config;
            let builder = node.await.map_err(Failure::Other)?;
            builder.overview(&config).map_err(Failure::other)?.into_iter().map(Service::from).collect()
        }
    };
    let text = match args.json {
        true => serde_json::to_string(&services).map_err(Failure::other)? + "\n",
        false => table(&services),
    };
    write!(io::stdout(), "{text}").map_err(Failure::other)
}

/// One service, as it is shown.
#[derive(Debug, PartialEq, Serialize)]
struct Service {
    service: String,
    transports: Vec<String>,
    methods: Vec<Method>,
    #[serde(skip_serializing_if = "String::is_empty")]
    documentation: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Method {
    method: String,
    #[serde(serialize_with = "as_text")]
    shape: Shape,
    idempotent: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    documentation: String,
}

async fn remote(target: &Target, args: &ServicesArgs) -> Result<Vec<Service>, Failure> {
    let mut interrupt = Interrupt::new().map_err(Failure::other)?;
    let interrupted = || Status::cancelled("interrupted");
    let opening = Lanes::open(vec![target.clone()], None, &args.connect);
    let lanes = interrupt.before(opening).await.ok_or_else(interrupted)??;
    let services = interrupt.before(ask(&lanes)).await.unwrap_or_else(|| Err(interrupted()));
    lanes.close().await;
    Ok(services?)
}

/// What the target's directory lists, or else what its reflection does.
async fn ask(lanes: &Lanes) -> Result<Vec<Service>, Status> {
    let metadata = Metadata::new();
    let refusal = match directory::list(lanes, &metadata).await {
        Ok(services) => return Ok(services.into_iter().map(Service::from).collect()),
        Err(status) if status.code() != Code::Unimplemented => return Err(status),
        Err(status) => status,
    };
    tracing::debug!(%refusal, "no directory; asking for reflection");
    let (names, pool) = match reflection::services(lanes, &metadata).await {
        Err(status) if status.code() == Code::Unimplemented => {
            let reason =
                "the target has neither a directory nor reflection, so it does not say what it serves";
            return Err(Status::unimplemented(reason));
        }
        outcome => outcome?,
    };
    let described = |name: String| Service {
        methods: pool.get_service_by_name(&name).iter().flat_map(methods).collect(),
        transports: vec![lanes.transport().to_owned()],
        documentation: String::new(),
        service: name,
    };
    Ok(names.into_iter().map(described).collect())
}

fn methods(service: &prost_reflect::ServiceDescriptor) -> Vec<Method> {
    let methods = service.methods().map(|method| Method {
        method: method.name().to_owned(),
        shape: directory::shape(method.is_client_streaming(), method.is_server_streaming()),
        idempotent: super::schema::is_repeatable(&method),
        documentation: String::new(),
    });
    methods.collect()
}

impl From<directory::Service> for Service {
    fn from(service: directory::Service) -> Self {
        let methods = service.methods.into_iter().map(|method| Method {
            shape: method.shape(),
            method: method.name,
            idempotent: method.idempotent,
            documentation: method.documentation,
        });
        Self {
            service: service.name,
            transports: service.transports,
            methods: methods.collect(),
            documentation: service.documentation,
        }
    }
}

impl From<ServiceOverview> for Service {
    fn from(service: ServiceOverview) -> Self {
        let methods = service.info.methods().iter().map(|method| Method {
            method: method.name().to_owned(),
            shape: method.shape(),
            idempotent: method.is_idempotent(),
            documentation: method.documentation().to_owned(),
        });
        Self {
            service: service.info.name().to_owned(),
            transports: service.transports.into_iter().map(str::to_owned).collect(),
            methods: methods.collect(),
            documentation: service.info.documentation().to_owned(),
        }
    }
}

fn as_text<S: serde::Serializer>(shape: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(shape)
}

/// A line a method, each complete in itself so that it can be searched for.
fn table(services: &[Service]) -> String {
    let mut rows = vec![["SERVICE", "METHOD", "SHAPE", "TRANSPORTS"].map(str::to_owned)];
    for service in services {
        let row = |method: &str, shape: &str| {
            [&service.service, method, shape, &service.transports.join(", ")].map(str::to_owned)
        };
        match service.methods.as_slice() {
            [] => rows.push(row("-", "-")),
            methods => {
                rows.extend(methods.iter().map(|method| row(&method.method, &method.shape.to_string())));
            }
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [service, method, shape] = [0, 1, 2].map(width);
    let line = |[a, b, c, d]: &[String; 4]| format!("{a:service$}  {b:method$}  {c:shape$}  {d}\n");
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, methods: &[(&str, Shape)]) -> Service {
        let methods = methods.iter().map(|(name, shape)| Method {
            method: (*name).to_owned(),
            shape: *shape,
            idempotent: false,
            documentation: String::new(),
        });
        Service {
            service: name.to_owned(),
            transports: ["grpc", "iroh"].map(str::to_owned).into(),
            methods: methods.collect(),
            documentation: String::new(),
        }
    }

    #[test]
    fn the_table_has_a_line_a_method() {
        let services = [
            service("grpc.health.v1.Health", &[("Check", Shape::Unary), ("Watch", Shape::ServerStreaming)]),
            service("a.A", &[]),
        ];
        assert_eq!(
            table(&services),
            "SERVICE                METHOD  SHAPE             TRANSPORTS\n\
             grpc.health.v1.Health  Check   unary             grpc, iroh\n\
             grpc.health.v1.Health  Watch   server streaming  grpc, iroh\n\
             a.A                    -       -                 grpc, iroh\n"
        );
    }

    #[test]
    fn json_has_the_same() {
        let json = serde_json::to_string(&[service("a.A", &[("Sync", Shape::BidiStreaming)])]).unwrap();
        assert_eq!(
            json,
            r#"[{"service":"a.A","transports":["grpc","iroh"],"methods":[{"method":"Sync","shape":"bidirectional streaming","idempotent":false}]}]"#
        );
    }
}
