//! Which addresses the daemon may speak to (X52). Pure: no names, no sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Network, Permit};

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the public internet.
    Public,
    /// On this machine or in this house: loopback, private networks.
    Inside,
    /// Where no server of ours has business: link-local (the metadata of clouds among them), multicast, unspecified, reserved.
    Special,
}

/// This machine, private networks, and those of carriers.
const INSIDE_V4: [(Ipv4Addr, u32); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];
/// This network, link-local, protocols, documentation, benchmarks, multicast, reserved; and an address of a cloud's platform that is public by
/// its number alone.
const SPECIAL_V4: [(Ipv4Addr, u32); 11] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Says where an address lies. IPv6 that only carries IPv4 lies where that does.
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    let lies_in = |table: &[(Ipv4Addr, u32)]| {
        table.iter().any(|(network, bits)| (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits)
    };
    if lies_in(&SPECIAL_V4) {
        Place::Special
    } else if lies_in(&INSIDE_V4) {
        Place::Inside
    } else {
        Place::Public
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    if address == Ipv6Addr::LOCALHOST {
        return Place::Inside;
    }
    let bits = address.to_bits();
    let from = |shift: u32| {
        // The 32 bits that end so far from the end.
        #[expect(clippy::cast_possible_truncation, reason = "32 bits of it are wanted")]
        let embedded = (bits >> shift) as u32;
        place_v4(Ipv4Addr::from_bits(embedded))
    };
    let begins = |prefix: u128, bits_of_prefix: u32| bits >> 128_u32.saturating_sub(bits_of_prefix) == prefix;
    // IPv4-compatible and IPv4-mapped, NAT64, 6to4.
    if begins(0, 96) || begins(0xffff, 96) || begins(0x64_ff9b << 64, 96) {
        from(0)
    } else if begins(0x2002, 16) {
        from(80)
    } else if begins(0xfc >> 1, 7) {
        Place::Inside
    } else if begins(0x2001_0000 >> 9, 23) || begins(0x2001_0db8, 32) || !begins(1, 3) {
        // Protocols (Teredo, which hides an IPv4 address, among them), documentation, and what is not 2000::/3: that is link-local,
        // multicast or the like, or has been given to nobody.
        Place::Special
    } else {
        Place::Public
    }
}

/// Tells whether a request for a host may go to an address.
///
/// A network that is named opens what lies in it. A host that is named opens what is inside the house, and never the special places: a
/// name is as good as whoever answers for it.
pub fn may_reach(address: IpAddr, host: &str, port: u16, allow: &[Permit]) -> bool {
    place(address) == Place::Public || is_permitted(address, host, port, allow)
}

/// Tells whether the operator has named where a request goes. Only there anything is sent without TLS.
pub fn is_permitted(address: IpAddr, host: &str, port: u16, allow: &[Permit]) -> bool {
    allow.iter().any(|permit| match permit {
        Permit::Network(network) => network_holds(network, address),
        Permit::Host { name, port: at } => {
            place(address) == Place::Inside && *at == port && name.eq_ignore_ascii_case(host)
        }
    })
}

fn network_holds(network: &Network, address: IpAddr) -> bool {
    network.contains(address) && !address.to_canonical().is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x52_only_public_addresses_are_public_however_they_are_written() {
        for (address, lies) in [
            ("93.184.216.34", Place::Public),
            ("2606:2800:220:1::1", Place::Public),
            ("::ffff:93.184.216.34", Place::Public),
            ("64:ff9b::5db8:d822", Place::Public),
            ("127.0.0.1", Place::Inside),
            ("127.255.255.254", Place::Inside),
            ("10.1.2.3", Place::Inside),
            ("172.16.0.1", Place::Inside),
            ("172.31.255.255", Place::Inside),
            ("172.32.0.1", Place::Public),
            ("192.168.1.1", Place::Inside),
            ("100.64.0.1", Place::Inside),
            ("100.100.100.200", Place::Inside),
            ("100.128.0.1", Place::Public),
            ("::1", Place::Inside),
            ("fd00::1", Place::Inside),
            ("fc00::1", Place::Inside),
            ("::ffff:127.0.0.1", Place::Inside),
            ("::ffff:10.0.0.1", Place::Inside),
            ("::127.0.0.1", Place::Inside),
            ("64:ff9b::7f00:1", Place::Inside),
            ("64:ff9b::a9fe:a9fe", Place::Special),
            ("2002:7f00:1::1", Place::Inside),
            ("2002:a9fe:a9fe::1", Place::Special),
            ("169.254.169.254", Place::Special),
            ("168.63.129.16", Place::Special),
            ("::ffff:169.254.169.254", Place::Special),
            ("0.0.0.0", Place::Special),
            ("0.1.2.3", Place::Special),
            ("::", Place::Special),
            ("224.0.0.1", Place::Special),
            ("255.255.255.255", Place::Special),
            ("240.0.0.1", Place::Special),
            ("192.0.2.1", Place::Special),
            ("198.18.0.1", Place::Special),
            ("fe80::1", Place::Special),
            ("febf::1", Place::Special),
            ("fec0::1", Place::Special),
            ("ff02::1", Place::Special),
            ("2001::1", Place::Special),
            ("2001:db8::1", Place::Special),
            ("2001:4860:4860::8888", Place::Public),
            ("64:ff9b:1::1", Place::Special),
            ("100::1", Place::Special),
            ("fd00:ec2::254", Place::Inside),
        ] {
            assert_eq!(place(address.parse().unwrap()), lies, "{address}");
        }
    }

    #[test]
    fn x52_what_is_named_is_opened_and_no_more() {
        let allow =
            ["10.0.0.0/8", "169.254.1.1", "idp.corp.example:8443"].map(|text| Permit::parse(text).unwrap());
        let reach = |address: &str, host: &str, port| may_reach(address.parse().unwrap(), host, port, &allow);
        assert!(reach("93.184.216.34", "idp.example", 443));
        assert!(reach("10.9.9.9", "anything.example", 443));
        assert!(reach("::ffff:10.9.9.9", "anything.example", 443));
        assert!(!reach("64:ff9b::a09:909", "anything.example", 443), "another road to it is not named");
        assert!(!reach("192.168.0.1", "anything.example", 443));
        assert!(reach("192.168.0.1", "IdP.corp.example", 8443));
        assert!(!reach("192.168.0.1", "idp.corp.example", 443));
        assert!(!reach("192.168.0.1", "evil.idp.corp.example", 8443));
        assert!(
            !reach("169.254.169.254", "idp.corp.example", 8443),
            "a name never opens the metadata of a cloud"
        );
        assert!(reach("169.254.1.1", "x", 443));
        let nothing = [Permit::parse("0.0.0.0/8").unwrap()];
        assert!(!may_reach("0.0.0.0".parse().unwrap(), "x", 443, &nothing));
    }
}
