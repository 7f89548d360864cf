/// What an IPv4 packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Other,
}

impl Protocol {
    /// That of the packet; `None` if it is not IPv4 ([RFC 791](https://www.rfc-editor.org/rfc/rfc791#section-3.1)).
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let is_v4 = packet.len() >= 20 && packet[0] >> 4 == 4;
        is_v4.then(|| match packet[9] {
            6 => Self::Tcp,
            17 => Self::Udp,
            _ => Self::Other,
        })
    }
}
