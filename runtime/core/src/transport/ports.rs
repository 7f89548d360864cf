use std::{collections::BTreeMap, fmt, future::Future, net::SocketAddr, sync::Arc};

use crate::sync::{Mutex, MutexGuard};

/// The ports that the system has chosen for the listeners of a node, by their names: when the node ran last, and now.
/// Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Ports(Arc<Mutex<BTreeMap<String, u16>>>);

impl Ports {
    /// Those of the last run.
    pub fn new(last: BTreeMap<String, u16>) -> Self {
        Self(Arc::new(Mutex::new(last)))
    }

    /// Those of now, and for what is not bound now those of the last run.
    pub fn all(&self) -> BTreeMap<String, u16> {
        self.lock().clone()
    }

    /// As [`BindContext::bind`](super::BindContext::bind), for the listener of this name.
    ///
    /// # Cancel safety
    /// As the future of `bind`, whose socket is closed unless it was returned.
    pub async fn bind<T, E, F>(
        &self,
        name: &str,
        configured: SocketAddr,
        bind: impl Fn(SocketAddr) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<(T, SocketAddr), E>>,
        E: fmt::Display,
    {
        if configured.port() != 0 {
            return Ok(bind(configured).await?.0);
        }
        let last = self.lock().get(name).copied();
        if let Some(port) = last {
            match bind(SocketAddr::new(configured.ip(), port)).await {
                Ok((bound, _)) => return Ok(bound),
                Err(error) => {
                    tracing::warn!(
                        listener = name,
                        port,
                        %error,
                        "the port of the last run cannot be had, and another is taken"
                    );
                }
            }
        }
        let (bound, address) = bind(configured).await?;
        self.lock().insert(name.to_owned(), address.port());
        Ok(bound)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u16>> {
        self.0.lock()
    }
}

/// Whether a UDP socket can be bound to this address now, for what says so less well itself.
///
/// # Errors
/// The operating system's.
#[cfg(feature = "iroh")]
pub(crate) fn udp_is_free(address: SocketAddr) -> std::io::Result<()> {
    std::net::UdpSocket::bind(address).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::{Ipv4Addr, TcpListener},
    };

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    async fn listen(ports: &Ports, configured: SocketAddr) -> io::Result<TcpListener> {
        let bind = |address: SocketAddr| async move {
            let listener = TcpListener::bind(address)?;
            let local = listener.local_addr()?;
            Ok::<_, io::Error>((listener, local))
        };
        ports.bind("grpc", configured, bind).await
    }

    #[tokio::test]
    async fn a_port_that_the_system_chose_is_taken_again_while_it_is_free() {
        let ports = Ports::default();
        let first = listen(&ports, ANY).await.unwrap();
        let port = first.local_addr().unwrap().port();
        assert_eq!(ports.all(), BTreeMap::from([("grpc".to_owned(), port)]));
        let second = listen(&Ports::new(ports.all()), ANY).await.unwrap();
        assert_ne!(second.local_addr().unwrap().port(), port, "it is not free");
        drop(first);
        let third = listen(&Ports::new(ports.all()), ANY).await.unwrap();
        assert_eq!(third.local_addr().unwrap().port(), port);
    }

    #[tokio::test]
    async fn a_port_that_was_configured_is_neither_kept_nor_replaced() {
        let taken = TcpListener::bind(ANY).unwrap();
        let address = taken.local_addr().unwrap();
        let ports = Ports::new(BTreeMap::from([("grpc".to_owned(), 1)]));
        listen(&ports, address).await.unwrap_err();
        drop(taken);
        let listener = listen(&ports, address).await.unwrap();
        assert_eq!(listener.local_addr().unwrap(), address);
        assert_eq!(ports.all()["grpc"], 1);
    }
}
