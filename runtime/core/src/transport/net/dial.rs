use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{
    net::{TcpStream, ToSocketAddrs},
    time::sleep,
};

use crate::ConnectOptions;

/// How much later the next address of a host is tried while those before it have not answered: the *connection attempt
/// delay* of happy eyeballs ([RFC 8305, section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5)).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects by TCP to whichever address of a host answers first, as [RFC 8305] has it: an address that is silent costs
/// 250 ms, one that refuses costs nothing.
///
/// # Errors
/// When the name cannot be resolved, or no address accepts a connection; what each of them said.
///
/// # Cancel safety
/// Dropping the future gives all attempts up.
///
/// [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305
pub async fn connect(host: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let addresses = resolve(host).await?;
    race(addresses, TcpStream::connect).await.map_err(Failures::into_io)
}

/// Connects as [`connect`] does, to an address that these options allow: see [`ConnectOptions::remote_only`].
///
/// # Errors
/// As [`connect`]; `PermissionDenied` if the host's name leads to this machine or its link and may not.
///
/// # Cancel safety
/// As [`connect`].
pub async fn connect_to(host: &str, port: u16, options: &ConnectOptions) -> io::Result<TcpStream> {
    connect_host(host, port, options.remote_only).await
}

/// The same; with `remote_only`, to another machine where the host is a name.
pub(crate) async fn connect_host(host: &str, port: u16, remote_only: bool) -> io::Result<TcpStream> {
    let addresses = resolve_for(host, port, remote_only).await?;
    race(addresses, TcpStream::connect).await.map_err(Failures::into_io)
}

/// The addresses of a host, as [`resolve`] has them; with `remote_only`, of other machines where the host is a name.
pub(crate) async fn resolve_for(host: &str, port: u16, remote_only: bool) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = resolve((host, port)).await?;
    // An address in the target itself was checked when the target was accepted.
    if remote_only && host.parse::<IpAddr>().is_err() {
        addresses.retain(|address| is_elsewhere(address.ip()));
        if addresses.is_empty() {
            let problem = format!("{host} leads to this machine or its link; expected another machine");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
    }
    Ok(addresses)
}

/// Whether this is the address of one other machine: no loopback address (RFC 1122, section 3.2.1.3), which the unspecified one
/// stands for too, no link-local one (RFC 3927), where clouds tell machines their secrets, and no group.
pub fn is_elsewhere(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_of_link = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(is_of_link || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// The addresses of a host, in the order in which they are tried: as the system has sorted them, but with the families
/// taken in turns, so that one of them that leads nowhere holds the other up once only ([RFC 8305, section 4]).
///
/// [RFC 8305, section 4]: https://www.rfc-editor.org/rfc/rfc8305#section-4
pub(crate) async fn resolve(host: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    let addresses = interleaved(tokio::net::lookup_host(host).await?);
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    Ok(addresses)
}

fn interleaved(sorted: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut distinct = Vec::new();
    for address in sorted {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    let first_is_v6 = distinct.first().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (Vec<_>, Vec<_>) =
        distinct.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut order = Vec::new();
    for address in first {
        order.push(address);
        order.extend(other.next());
    }
    order.extend(other);
    order
}

/// The outcome of the first attempt that succeeds. Each begins 250 ms behind the one before it, or at once
/// where one has failed meanwhile; those that are still under way at the end are dropped.
pub(crate) async fn race<T, E, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Failures<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut left = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        match left.next() {
            Some(address) => {
                let attempt = attempt(address);
                attempts.push(async move { (address, attempt.await) });
            }
            None if attempts.is_empty() => return Err(Failures(failures)),
            None => {}
        }
        tokio::select! {
            Some((address, outcome)) = attempts.next() => match outcome {
                Ok(made) => return Ok(made),
                Err(error) => failures.push((address, error)),
            },
            () = sleep(ATTEMPT_DELAY), if left.len() > 0 => {}
        }
    }
}

/// Why no attempt succeeded, in the order in which they failed.
#[derive(Debug)]
pub(crate) struct Failures<E>(Vec<(SocketAddr, E)>);

impl<E> Failures<E> {
    /// The last of them; `None` where there was no address.
    #[cfg(feature = "quic")]
    pub(crate) fn last(mut self) -> Option<E> {
        self.0.pop().map(|(_, error)| error)
    }
}

impl Failures<io::Error> {
    /// The only failure as it is; of several, what each address said.
    fn into_io(mut self) -> io::Error {
        if self.0.len() == 1
            && let Some((_, only)) = self.0.pop()
        {
            return only;
        }
        let kind = self.0.first().map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
        let said: Vec<_> = self.0.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        io::Error::new(kind, said.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Mutex};

    use tokio::time::Instant;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Three addresses, by their ports.
    fn three() -> Vec<SocketAddr> {
        addresses(&["192.0.2.1:1", "192.0.2.2:2", "192.0.2.3:3"])
    }

    #[test]
    fn families_take_turns_behind_the_one_that_the_system_prefers() {
        let sorted = addresses(&["[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1", "192.0.2.1:1"]);
        let order = addresses(&["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1"]);
        assert_eq!(interleaved(sorted.into_iter()), order);
        let sorted = addresses(&["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"]);
        assert_eq!(interleaved(sorted.clone().into_iter()), sorted);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_costs_the_delay_and_its_attempt_is_given_up() {
        let begun = Instant::now();
        let tried = Mutex::new(Vec::new());
        let won = race(three(), |address| {
            tried.lock().unwrap().push((address.port(), begun.elapsed()));
            async move {
                match address.port() {
                    1 => pending().await,
                    port => Ok::<_, ()>(port),
                }
            }
        });
        assert_eq!(won.await.unwrap(), 2);
        assert_eq!(begun.elapsed(), ATTEMPT_DELAY);
        assert_eq!(*tried.lock().unwrap(), [(1, Duration::ZERO), (2, ATTEMPT_DELAY)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_costs_nothing() {
        let begun = Instant::now();
        let won = race(three(), |address| async move {
            match address.port() {
                3 => Ok(()),
                port => Err(port),
            }
        });
        won.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_still_wins_where_it_answers_first() {
        let begun = Instant::now();
        let won = race(three(), |address| async move {
            sleep(300 * MILLI).await;
            Ok::<_, ()>(address.port())
        });
        assert_eq!(won.await.unwrap(), 1);
        assert_eq!(begun.elapsed(), 300 * MILLI);
    }

    #[tokio::test(start_paused = true)]
    async fn where_none_answers_each_says_why() {
        let refuse = |address: SocketAddr| async move {
            Err::<(), _>(io::Error::other(format!("no {}", address.port())))
        };
        let failures = race(three(), refuse).await.unwrap_err();
        assert_eq!(failures.into_io().to_string(), "192.0.2.1:1: no 1; 192.0.2.2:2: no 2; 192.0.2.3:3: no 3");
        let alone = race(addresses(&["192.0.2.1:1"]), refuse).await.unwrap_err();
        assert_eq!(alone.into_io().to_string(), "no 1");
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_connected_to_and_a_port_that_is_shut_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connected = connect(("localhost", address.port())).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
        drop(listener);
        let refused = connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_name_may_be_kept_from_leading_to_this_machine() {
        let resolved = resolve_for("localhost", 1, false).await.unwrap();
        assert!(!resolved.is_empty());
        let refused = resolve_for("localhost", 1, true).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(refused.to_string().starts_with("localhost leads to this machine"), "{refused}");
        let listener = tokio::net::TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let remote = ConnectOptions::new().remote_only();
        assert!(connect_to("localhost", port, &ConnectOptions::new()).await.is_ok());
        assert!(connect_to("localhost", port, &remote).await.is_err());
    }

    #[test]
    fn only_the_address_of_one_other_machine_is_elsewhere() {
        for (address, elsewhere) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("::ffff:192.0.2.1", true),
            ("127.0.0.2", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("fe80::1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(is_elsewhere(address.parse().unwrap()), elsewhere, "{address}");
        }
    }
}
