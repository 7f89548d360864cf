//! `services`.

use std::future::Future;

use serde::Serialize;

use super::{
    args::ServicesArgs, connect::Client, directory, failure::Failure, flags::Flags, interrupt::Interrupt,
    log, lookup, node::Made, print, reflection, settings,
};
use crate::node::ServiceOverview;
use polywire_core::{
    __runner::directory::{Endpoint, ListResponse, Node},
    Code, Metadata, Plain, Shape, Status, Target,
};

pub(super) async fn services(
    args: ServicesArgs,
    flags: Flags,
    node: impl Future<Output = Made>,
) -> Result<(), Failure> {
    log::init_client(args.connect.verbose);
    let listing = match args.target() {
        Some(target) => remote(target, &args).await?,
        None => {
            let config = settings::load(&args.config, flags)?.config;
            let builder = node.await.map_err(Failure::Other)?;
            let services = builder.overview(&config).map_err(Failure::other)?;
            Listing { services: services.into_iter().map(Service::from).collect(), ..Listing::default() }
        }
    };
    let json = match args.members {
        true => serde_json::to_string(&listing),
        false => serde_json::to_string(&listing.services),
    };
    let text = match args.json {
        true => json.map_err(Failure::other)? + "\n",
        false => listing.text(args.connect.verbose > 0),
    };
    print::answer(&text)
}

/// The output of the command.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Listing {
    /// The node that answered, if it reports itself.
    node: Option<Node>,
    services: Vec<Service>,
    /// The other members of its cluster, if requested.
    members: Vec<Member>,
}

/// Another member.
#[derive(Debug, PartialEq, Serialize)]
struct Member {
    node: Node,
    reached: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    failure: String,
    services: Vec<Service>,
}

/// A service of the output.
#[derive(Debug, PartialEq, Serialize)]
struct Service {
    service: String,
    transports: Vec<String>,
    methods: Vec<Method>,
    #[serde(skip_serializing_if = "String::is_empty")]
    documentation: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fingerprint: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Method {
    method: String,
    #[serde(serialize_with = "as_text")]
    shape: Shape,
    idempotent: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    documentation: String,
    /// The class of callers that it is for; empty if the node does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    access: String,
}

async fn remote(target: &Target, args: &ServicesArgs) -> Result<Listing, Failure> {
    let mut interrupt = Interrupt::new().map_err(Failure::other)?;
    let interrupted = || Status::cancelled("interrupted");
    let opening = Client::open(vec![target.clone()], None, &args.connect);
    let client = interrupt.before(opening).await.ok_or_else(interrupted)??;
    let metadata = args.connect.caller.metadata();
    let listing =
        interrupt.before(ask(&client, metadata, args.members)).await.unwrap_or_else(|| Err(interrupted()));
    let listing = listing.map_err(|status| client.named(status));
    client.close().await;
    Ok(listing?)
}

/// The services from the target's directory or, without one, from its reflection.
async fn ask(client: &Client, metadata: Metadata, members: bool) -> Result<Listing, Status> {
    let refusal = match directory::ask(client, &metadata, members).await {
        Ok(listed) => return Ok(Listing::from(listed)),
        Err(status) if client.is_final(&status) => return Err(status),
        Err(status) => status,
    };
    let is_denied = lookup::is_denied(&refusal);
    // Reflection knows no members.
    if is_denied && members {
        return Err(refusal);
    }
    tracing::debug!(%refusal, "no directory; asking for reflection");
    let (names, pool) = match reflection::services(client, &metadata).await {
        Err(status) if status.code() == Code::Unimplemented => return Err(untold(refusal)),
        outcome => outcome?,
    };
    if is_denied {
        print::note(format_args!("the directory is refused, so reflection lists the services: {refusal}"));
    }
    let described = |name: String| Service {
        methods: pool.get_service_by_name(&name).iter().flat_map(methods).collect(),
        transports: vec![client.transport().to_owned()],
        documentation: String::new(),
        version: String::new(),
        fingerprint: String::new(),
        endpoints: Vec::new(),
        service: name,
    };
    Ok(Listing { services: names.into_iter().map(described).collect(), ..Listing::default() })
}

/// The status for a target that has no reflection and whose directory refuses with this status.
fn untold(refusal: Status) -> Status {
    match refusal.code() {
        Code::Unimplemented => Status::unimplemented(
            "the target serves neither the directory nor reflection, so its services cannot be listed",
        ),
        _ => refusal,
    }
}

impl From<ListResponse> for Listing {
    fn from(listed: ListResponse) -> Self {
        let members = listed.cluster.into_iter().flat_map(|cluster| cluster.members).map(|member| Member {
            node: member.node.unwrap_or_default(),
            reached: member.reached,
            failure: member.failure,
            services: member.services.into_iter().map(Service::from).collect(),
        });
        Self {
            node: listed.node,
            services: listed.services.into_iter().map(Service::from).collect(),
            members: members.collect(),
        }
    }
}

fn methods(service: &prost_reflect::ServiceDescriptor) -> Vec<Method> {
    let methods = service.methods().map(|method| Method {
        method: method.name().to_owned(),
        shape: directory::shape(method.is_client_streaming(), method.is_server_streaming()),
        idempotent: super::schema::is_repeatable(&method),
        documentation: String::new(),
        access: String::new(),
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
            access: method.access,
        });
        Self {
            service: service.name,
            transports: service.transports,
            methods: methods.collect(),
            documentation: service.documentation,
            version: service.version,
            fingerprint: service.fingerprint,
            endpoints: service.endpoints,
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
            access: method.access_class().name().to_owned(),
        });
        Self {
            service: service.info.name().to_owned(),
            transports: service.transports.into_iter().map(str::to_owned).collect(),
            methods: methods.collect(),
            documentation: service.info.documentation().to_owned(),
            version: format!("v{}", service.info.major_version()),
            fingerprint: String::new(),
            endpoints: Vec::new(),
        }
    }
}

fn as_text<S: serde::Serializer>(shape: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(shape)
}

impl Listing {
    /// A table per node, those of other members under their names; with `verbose`, also the access class of each method,
    /// and the version, the schema and the endpoints of each service.
    fn text(&self, verbose: bool) -> String {
        let details = |services: &[Service]| if verbose { details(services) } else { String::new() };
        let mut text = table(&self.services, verbose) + &details(&self.services);
        for Member { node, reached, failure, services } in &self.members {
            let how = if *reached { String::new() } else { format!(", not reached: {}", Plain(failure)) };
            text += &format!("\nmember {} ({}){how}\n", Plain(&node.name), Plain(&node.id));
            text += &(table(services, verbose) + &details(services));
        }
        text
    }
}

/// Lines per service: the version, the schema's fingerprint and the endpoints.
fn details(services: &[Service]) -> String {
    let mut text = String::from("\n");
    for Service { service, version, fingerprint, endpoints, .. } in services {
        let schema = if fingerprint.is_empty() { String::new() } else { format!(", schema {fingerprint}") };
        text += &format!("{}\n", Plain(&format!("{service} {version}{schema}")));
        for Endpoint { target, alpns, .. } in endpoints {
            let alpns = if alpns.is_empty() { String::new() } else { format!("  ({})", alpns.join(", ")) };
            text += &format!("  {}\n", Plain(&format!("{target}{alpns}")));
        }
    }
    text
}

/// A line per method, each complete, so that `grep` finds it; with `verbose`, also the class of its callers.
fn table(services: &[Service], verbose: bool) -> String {
    let mut rows = vec![["SERVICE", "METHOD", "SHAPE", "ACCESS", "TRANSPORTS"].map(str::to_owned)];
    for service in services {
        let row = |method: &str, shape: &str, access: &str| {
            let cells = [&service.service, method, shape, access, &service.transports.join(", ")];
            cells.map(|cell| Plain(cell).to_string())
        };
        if service.methods.is_empty() {
            rows.push(row("-", "-", "-"));
        }
        rows.extend(service.methods.iter().map(|method| {
            let access = if method.access.is_empty() { "-" } else { &method.access };
            row(&method.method, &method.shape.to_string(), access)
        }));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [service, method, shape, access] = [0, 1, 2, 3].map(width);
    let line = |[a, b, c, d, e]: &[String; 5]| match verbose {
        true => format!("{a:service$}  {b:method$}  {c:shape$}  {d:access$}  {e}\n"),
        false => format!("{a:service$}  {b:method$}  {c:shape$}  {e}\n"),
    };
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
            access: String::new(),
        });
        Service {
            service: name.to_owned(),
            transports: ["grpc", "iroh"].map(str::to_owned).into(),
            methods: methods.collect(),
            documentation: String::new(),
            version: String::new(),
            fingerprint: String::new(),
            endpoints: Vec::new(),
        }
    }

    #[test]
    fn the_table_has_a_line_a_method() {
        let services = [
            service("grpc.health.v1.Health", &[("Check", Shape::Unary), ("Watch", Shape::ServerStreaming)]),
            service("a.A", &[]),
        ];
        assert_eq!(
            table(&services, false),
            "SERVICE                METHOD  SHAPE             TRANSPORTS\n\
             grpc.health.v1.Health  Check   unary             grpc, iroh\n\
             grpc.health.v1.Health  Watch   server streaming  grpc, iroh\n\
             a.A                    -       -                 grpc, iroh\n"
        );
    }

    #[test]
    fn versions_schemas_and_addresses_are_for_those_who_want_them_and_members_have_tables_of_their_own() {
        let endpoint = Endpoint {
            transport: "iroh".to_owned(),
            target: "iroh://abc".to_owned(),
            alpns: vec!["polywire/1".to_owned(), "x/a/1".to_owned()],
        };
        let known = Service {
            version: "v1".to_owned(),
            fingerprint: "0123".to_owned(),
            endpoints: vec![endpoint],
            ..service("a.A", &[])
        };
        let gone = Member {
            node: Node { id: "def".to_owned(), name: "two".to_owned(), ..Node::default() },
            reached: false,
            failure: "no answer".to_owned(),
            services: Vec::new(),
        };
        let listing = Listing { node: None, services: vec![known], members: vec![gone] };
        assert_eq!(
            listing.text(true),
            "SERVICE  METHOD  SHAPE  ACCESS  TRANSPORTS\na.A      -       -      -       grpc, iroh\n\
             \na.A v1, schema 0123\n  iroh://abc  (polywire/1, x/a/1)\n\
             \nmember two (def), not reached: no answer\nSERVICE  METHOD  SHAPE  ACCESS  TRANSPORTS\n\n"
        );
        assert!(!listing.text(false).contains("0123"));
    }

    #[cfg(feature = "grpc")]
    #[tokio::test]
    async fn a_target_whose_directory_is_refused_with_any_code_may_have_reflection() {
        let files = crate::cli::demo::pool();
        for code in [Code::Unavailable, Code::Unknown, Code::PermissionDenied, Code::Unimplemented] {
            let files = files.clone();
            let proxy = crate::cli::demo::peer(move |cx, questions| {
                match cx.service().starts_with("grpc.reflection.v1alpha.") {
                    true => Ok(crate::cli::demo::reflected(&files, questions)),
                    false => Err(Status::new(code, "no route")),
                }
            });
            let listing = ask(&Client::in_process([proxy]).await, Metadata::new(), false).await.unwrap();
            assert_eq!(
                (&*listing.services[0].service, listing.services[0].methods.len()),
                ("demo.v1.Demo", 5)
            );
        }
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
