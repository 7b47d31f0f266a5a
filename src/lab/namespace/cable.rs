//! The pair of virtual interfaces between the kernel and the lab, made with rtnetlink.
//!
//! `vantage0` belongs to the kernel: it has the vantage's addresses and the default routes. `internet0`
//! belongs to the lab: it has no address, and frames are sent to a gateway whose hardware address is not
//! its own, so that the kernel looks at none of them.

use std::fs;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::AddressHeaderFlags;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::route::RouteType;
use rtnetlink::{Handle, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::{Namespace, NoNamespace};

/// Hardware addresses, locally administered: of `vantage0`, and of the gateway that it sends to.
pub(in crate::lab) const VANTAGE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
pub(in crate::lab) const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// What is needed to lay the cable.
#[derive(Debug)]
pub(in crate::lab) struct Cable {
    /// The kernel's end.
    pub(in crate::lab) vantage: &'static str,
    /// The lab's end.
    pub(in crate::lab) internet: &'static str,
    /// The vantage's addresses, each with the gateway's of the same family.
    pub(in crate::lab) addresses: Vec<(IpAddr, IpAddr)>,
}

/// Refuses a namespace with a real interface in it; else brings up the loopback.
pub(super) fn only_loopback() -> Result<(), NoNamespace> {
    with_netlink(async |handle| {
        let links: Vec<LinkMessage> =
            handle.link().get().execute().try_collect().await.map_err(network("list its interfaces"))?;
        let (loopback, others): (Vec<_>, Vec<_>) =
            links.into_iter().partition(|link| link.header.flags.contains(LinkFlags::Loopback));
        if let Some(other) = others.iter().find(|link| !is_idle_tunnel(link)) {
            return Err(NoNamespace::NotPrivate(name(other)));
        }
        for link in loopback {
            bring_up(&handle, link.header.index).await?;
        }
        Ok(())
    })
}

/// Whether it is one of the tunnels that some kernels put into every namespace, and down.
fn is_idle_tunnel(link: &LinkMessage) -> bool {
    const NAMES: [&str; 9] =
        ["tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"];
    NAMES.contains(&name(link).as_str()) && !link.header.flags.contains(LinkFlags::Up)
}

fn name(link: &LinkMessage) -> String {
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}

/// Lays the cable, in the namespace that the caller holds the proof of.
pub(in crate::lab) fn lay(_: &Namespace, cable: &Cable) -> Result<(), NoNamespace> {
    with_netlink(async |handle| {
        // The peer gets the lower number: programs that take the first interface must get the vantage's.
        let pair = LinkVeth::new(cable.internet, cable.vantage).build();
        handle.link().add(pair).execute().await.map_err(network("make a pair of virtual interfaces"))?;
        quieten(cable);
        let vantage = index(&handle, cable.vantage).await?;
        let internet = index(&handle, cable.internet).await?;
        let named = LinkUnspec::new_with_index(vantage).address(VANTAGE_MAC.to_vec()).build();
        handle.link().set(named).execute().await.map_err(network("set a hardware address"))?;
        bring_up(&handle, internet).await?;
        bring_up(&handle, vantage).await?;
        for (own, gateway) in &cable.addresses {
            configure(&handle, vantage, *own, *gateway).await?;
        }
        Ok(())
    })
}

/// Keeps the kernel from talking by itself. Where `/proc/sys` is read-only it will say a few things that the
/// lab ignores.
fn quieten(cable: &Cable) {
    let settings = [
        (cable.internet, "disable_ipv6", "1"),
        (cable.vantage, "accept_dad", "0"),
        (cable.vantage, "accept_ra", "0"),
        (cable.vantage, "autoconf", "0"),
        (cable.vantage, "router_solicitations", "0"),
        (cable.vantage, "addr_gen_mode", "1"),
    ];
    for (interface, setting, value) in settings {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/{setting}"), value);
    }
}

async fn bring_up(handle: &Handle, index: u32) -> Result<(), NoNamespace> {
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.map_err(network("bring an interface up"))
}

async fn index(handle: &Handle, name: &str) -> Result<u32, NoNamespace> {
    let mut links = handle.link().get().match_name(name).execute();
    let link = links.try_next().await.map_err(network("find the interface that it just made"))?;
    link.map(|link| link.header.index).ok_or_else(|| NoNamespace::NotPrivate(name.to_owned()))
}

/// The vantage's address, the gateway's hardware address, and the way to everywhere.
async fn configure(handle: &Handle, index: u32, own: IpAddr, gateway: IpAddr) -> Result<(), NoNamespace> {
    let length = if own.is_ipv4() { 32 } else { 128 };
    let mut address = handle.address().add(index, own, length);
    address.message_mut().header.flags.insert(AddressHeaderFlags::Nodad);
    address.execute().await.map_err(network("give the vantage its address"))?;
    let neighbour = handle.neighbours().add(index, gateway).link_layer_address(&GATEWAY_MAC);
    neighbour.execute().await.map_err(network("name the gateway's hardware address"))?;
    let route = match (own, gateway) {
        (IpAddr::V4(own), IpAddr::V4(gateway)) => {
            let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).pref_source(own);
            route.output_interface(index).onlink().build()
        }
        (IpAddr::V6(own), IpAddr::V6(gateway)) => {
            let route = RouteMessageBuilder::<Ipv6Addr>::new().gateway(gateway).pref_source(own);
            route.output_interface(index).onlink().build()
        }
        _ => return Ok(()),
    };
    handle.route().add(route).execute().await.map_err(network("set the default route"))?;
    until_received(handle, own).await
}

/// Waits until the kernel takes packets for an address. It makes IPv6 addresses known to who sends at once, and
/// to who receives when it finds the time.
async fn until_received(handle: &Handle, own: IpAddr) -> Result<(), NoNamespace> {
    let step = "take packets for the vantage's address";
    let look = async {
        while !is_local(handle, own).await.map_err(network(step))? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    };
    let looked = tokio::time::timeout(PATIENCE, look).await;
    looked.unwrap_or_else(|late| Err(NoNamespace::Step { step, source: late.into() }))
}

const LOOK_AGAIN: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);

async fn is_local(handle: &Handle, own: IpAddr) -> Result<bool, rtnetlink::Error> {
    let question = match own {
        IpAddr::V4(own) => RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(own, 32).build(),
        IpAddr::V6(own) => RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(own, 128).build(),
    };
    let answer = handle.route().get(question).execute().try_next().await?;
    Ok(answer.is_some_and(|route| route.header.kind == RouteType::Local))
}

/// Runs a conversation with the kernel on a thread of its own, so that it may be called from anywhere; the
/// thread is in the same namespaces, and gone afterwards.
fn with_netlink<T, F>(talk: impl FnOnce(Handle) -> F + Send) -> Result<T, NoNamespace>
where
    T: Send,
    F: Future<Output = Result<T, NoNamespace>>,
{
    let step = "talk to it by netlink";
    let failed = |source| NoNamespace::Step { step, source };
    let conversation = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().map_err(failed)?;
            tokio::spawn(connection);
            talk(handle).await
        })
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, conversation).map_err(failed)?;
        thread.join().unwrap_or_else(|_| Err(failed(std::io::Error::other("the thread for it died"))))
    })
}

fn network(step: &'static str) -> impl FnOnce(rtnetlink::Error) -> NoNamespace {
    move |source| NoNamespace::Network { step, source }
}
