// From facts to findings: pure. Each judgement names what it is about, why it matters, and what to type.
import type { Facts, Feature, Role } from './facts.ts';

/** `danger`: it runs, and will hurt. `cannot`: what the role needs is missing. `less`: something optional is. */
export type Grade = 'ok' | 'less' | 'danger' | 'cannot';

export interface Finding {
  readonly about: string;
  readonly grade: Grade;
  /** What is the case, and why it matters. */
  readonly text: string;
  /** A line to type, or what to do; absent when all is well. */
  readonly remedy?: string;
}

/** All findings for a machine that is to be these roles, in the order in which one would look. */
export function judge(facts: Facts, roles: readonly Role[]): Finding[] {
  const has = (role: Role): boolean => roles.includes(role);
  return [
    machine(facts),
    ...(has('server') ? server(facts) : []),
    ...(has('hypervisor') || has('gateway') || has('witness')
      ? chassis(facts, has('hypervisor') || has('gateway'))
      : []),
    ...(has('hypervisor') ? hypervisor(facts) : []),
    ...(has('gateway') ? gateway(facts) : []),
    ...(has('router') ? router(facts) : []),
    ...(has('hypervisor') || has('router') ? [arping(facts, has('router'))] : []),
    ...(has('hypervisor') || has('gateway') || has('router') ? wire(facts) : []),
    clock(facts),
  ].flat();
}

/** 0: nothing is missing. 1: something is. */
export function exitStatus(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ grade }) => grade === 'cannot' || grade === 'danger') ? 1 : 0;
}

const ok = (about: string, text: string): Finding => ({ about, grade: 'ok', text });

function machine({ system, kernel, node, root }: Facts): Finding[] {
  const major = Number(/^v?([0-9]+)/.exec(node)?.[1]);
  return [
    ok('system', `${system}, kernel ${kernel}`),
    major >= 24
      ? ok('node', `Node ${node}`)
      : {
          about: 'node',
          grade: 'cannot',
          text: `Node ${node} is older than 24, and the program uses what came with 24`,
          remedy: 'npm ci (it brings a Node of its own), then start with ./trunkline',
        },
    ...(root
      ? []
      : [
          {
            about: 'root',
            grade: 'less' as const,
            text: 'not root: kernel features could not be tried in a namespace, so what follows may look worse than it is',
            remedy: 'sudo ./trunkline doctor',
          },
        ]),
  ];
}

function server(facts: Facts): Finding[] {
  return [
    ovn(facts, 'ovn-northd', 'ovn-central'),
    program(facts, 'openssl', 'openssl', 'the certificates of nodes are made with it'),
  ];
}

/** What every node of OVN needs; `wires`: whether it is on the physical networks, too. A witness is on none. */
function chassis(facts: Facts, wires: boolean): Finding[] {
  const { ovs } = facts;
  return [
    ovn(facts, 'ovn-controller', 'ovn-host'),
    ...(ovs === undefined
      ? [
          {
            about: 'open vswitch',
            grade: 'cannot' as const,
            text: 'no Open vSwitch database answers on this machine',
            remedy: 'apt-get install --no-install-recommends openvswitch-switch; systemctl start openvswitch-switch',
          },
        ]
      : [...switchFindings(facts, ovs), ...settings(facts, ovs, wires), ...hitless(ovs)]),
  ];
}

/** ovn-controller(8): without it a controller that starts anew empties the switch at once and fills it when it has read the database. */
function hitless({ settings: set }: NonNullable<Facts['ovs']>): Finding[] {
  const name = 'ovn-ofctrl-wait-before-clear';
  if (Number(set[name] ?? 0) > 0) return [];
  return [
    {
      about: name,
      grade: 'less',
      text: `Open vSwitch has no external_ids:${name}: each restart of ovn-controller, as in an upgrade, drops packets until it has read OVN's database`,
      remedy: `ovs-vsctl set open_vswitch . external_ids:${name}=1000`,
    },
  ];
}

function hypervisor(facts: Facts): Finding[] {
  return [
    feature(facts, 'namespaces', 'cannot', 'agents look into network namespaces', 'use a kernel with CONFIG_NET_NS'),
    virtualMachines(facts),
    program(facts, 'arp-scan', 'arp-scan', 'scanNetwork asks the wire with it', 'less'),
  ];
}

const STRONGSWAN =
  'charon-systemd strongswan-swanctl libstrongswan-standard-plugins libcharon-extra-plugins libcharon-extauth-plugins';

/** VPNs end on gateways; who has none needs none of it. */
function gateway(facts: Facts): Finding[] {
  return [
    program(facts, 'openvpn', 'openvpn', 'it serves remote access of the kind openvpn', 'less'),
    program(facts, 'wg', 'wireguard-tools', 'WireGuard is set up with it, for clients and for sites', 'less'),
    ...(facts.features.wireguard === true
      ? [ok('wireguard', 'the kernel has it')]
      : [
          program(
            facts,
            'wireguard-go',
            'wireguard-go',
            'the kernel has no WireGuard, which this does instead',
            'less',
          ),
        ]),
    program(facts, 'swanctl', STRONGSWAN, 'strongSwan serves IKEv2 clients and IPsec sites', 'less'),
  ];
}

function switchFindings({ features }: Facts, ovs: NonNullable<Facts['ovs']>): Finding[] {
  return [
    ok('open vswitch', `Open vSwitch ${ovs.version}`),
    ...(features.openvswitch === true
      ? []
      : [
          {
            about: 'datapath',
            grade: 'less' as const,
            text: 'the kernel module openvswitch is not loaded: the userspace datapath works everywhere, and forwards several times slower',
            remedy: 'modprobe openvswitch; where there is none: ovs-vsctl set Bridge br-ex datapath_type=netdev',
          },
        ]),
  ];
}

function settings({ southbound }: Facts, ovs: NonNullable<Facts['ovs']>, wires: boolean): Finding[] {
  const wanted = {
    'system-id': "OVN's name of this chassis: the node's name",
    'ovn-remote': 'where the southbound database is',
    'ovn-encap-ip': "the tunnels' address of this node",
    ...(wires
      ? { 'ovn-bridge-mappings': 'which bridge is on the physical network: without it no VLAN reaches this node' }
      : {}),
  };
  const missing = Object.entries(wanted).filter(([key]) => ovs.settings[key] === undefined);
  return [
    ...missing.map(([key, why]) => ({
      about: key,
      grade: 'cannot' as const,
      text: `Open vSwitch has no external_ids:${key} (${why})`,
      remedy: `trunkline agent join sets it; by hand: ovs-vsctl set open_vswitch . external_ids:${key}=VALUE`,
    })),
    ...(missing.length === 0
      ? [ok('ovn settings', `chassis ${ovs.settings['system-id']}, encap ${ovs.settings['ovn-encap-ip']}`)]
      : []),
    ...(southbound === undefined || southbound === true
      ? []
      : [
          {
            about: 'ovn-remote',
            grade: 'cannot' as const,
            text: `the southbound database ${ovs.settings['ovn-remote']} does not answer: ${southbound}. Without it this chassis keeps its last flows and learns nothing new`,
            remedy:
              'on the server: ovn-sbctl set-connection ptcp:6642 (or pssl:), and look at firewalls between here and there',
          },
        ]),
  ];
}

/** Why two versions are told apart: facts measured on 23.03, and advisories that Debian 12 leaves open. */
function ovn(facts: Facts, name: string, packageName: string): Finding {
  const said = facts.programs[name];
  if (said === undefined) return program(facts, name, packageName, 'the data plane is OVN');
  const version = /([0-9]+)\.([0-9]+)/.exec(said);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (major < 23 || (major === 23 && minor < 3))
    return {
      about: name,
      grade: 'cannot',
      text: `OVN ${major}.${String(minor).padStart(2, '0')} is older than 23.03: first packets between VPCs are lost with it, and the server refuses it`,
      remedy: 'Debian 12 or newer, or Ubuntu 24.04, brings one that will do',
    };
  if (major === 23 && minor === 3)
    return ok(
      name,
      'OVN 23.03: its dns_records and DHCPv6 are not used here (CVE-2025-0650 and CVE-2026-5367 are open in Debian 12)',
    );
  return ok(name, `OVN ${major}.${String(minor).padStart(2, '0')}`);
}

function virtualMachines({ kvm, virtualization, programs }: Facts): Finding {
  if (programs['virsh'] === undefined)
    return {
      about: 'virtual machines',
      grade: 'less',
      text: 'libvirt is not here: instances of this node can only be namespaces, which are for labs',
      remedy:
        'apt-get install --no-install-recommends libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86',
    };
  if (!kvm)
    return {
      about: 'virtual machines',
      grade: 'less',
      text: 'libvirt is here and /dev/kvm is not: instances are emulated (TCG), some ten times slower',
      remedy: 'enable VT-x or AMD-V in the firmware, or nested virtualization on the machine below',
    };
  return ok(
    'virtual machines',
    virtualization === 'none' || virtualization === 'unknown'
      ? 'libvirt and KVM'
      : `libvirt and /dev/kvm, inside ${virtualization}: the agent boots a probe before it trusts it, since some nested KVMs never finish a boot`,
  );
}

/** Debian has two programs of this name; the other one has no unsolicited ARP (S53). Router nodes announce with it. */
function arping(facts: Facts, isRouter: boolean): Finding {
  const said = facts.programs['arping'];
  if (said === undefined && isRouter)
    return program(facts, 'arping', 'iputils-arping', 'it tells the outside which router has an address now', 'less');
  if (said === undefined || said.includes('iputils'))
    return ok('arping', said === undefined ? 'not here, and not needed: announcements are our own' : 'of iputils');
  const who = isRouter
    ? 'a router says with it which addresses it has'
    : 'nothing of ours calls it, but recipes of this guide do';
  return {
    about: 'arping',
    grade: 'less',
    text: `this is the arping of the package \`arping\`, whose -U means something else; ${who}`,
    remedy: 'apt-get install iputils-arping (it replaces the other)',
  };
}

function router(facts: Facts): Finding[] {
  return [
    feature(
      facts,
      'vlan',
      'less',
      'sub-interfaces such as eth1.1234 are made of Open vSwitch ports instead ("vlans": "openvswitch")',
      'modprobe 8021q',
    ),
    feature(facts, 'nftables', 'cannot', 'translation and firewall are nftables', 'use a kernel with CONFIG_NF_TABLES'),
    feature(facts, 'conntrack', 'cannot', 'translation needs tracked connections', 'modprobe nf_conntrack'),
    feature(
      facts,
      'ipvs',
      'less',
      'load balancing is done by haproxy (TCP) and nftables (UDP) instead',
      'modprobe ip_vs',
    ),
    program(facts, 'keepalived', 'keepalived', 'pairs of routers speak VRRP with it', 'less'),
    program(facts, 'nft', 'nftables', 'it loads the rules'),
    program(facts, 'dnsmasq', 'dnsmasq-base', 'it gives addresses and names', 'less'),
    program(facts, 'haproxy', 'haproxy', 'it balances TCP where the kernel has no IPVS', 'less'),
    program(facts, 'conntrackd', 'conntrackd', 'without it a takeover breaks translated connections', 'less'),
    program(facts, 'conntrack', 'conntrack', 'it ends the connections of an address that is taken away', 'less'),
  ];
}

/** What the world sends, and what an underlay needs for it: Geneve takes 58 bytes, so one of 1500 carries 1442. */
const USUAL = 1500;
const ROOMY = USUAL + 58;

function wire({ underlayMtu, ovs }: Facts): Finding[] {
  if (underlayMtu === undefined) return [];
  const device = ovs === undefined ? 'DEVICE' : 'the underlay device';
  if (underlayMtu < 1338)
    return [
      {
        about: 'underlay',
        grade: 'danger',
        text: `packets of ${underlayMtu} bytes on the underlay leave ${underlayMtu - 58} for overlay networks: below 1280 many a protocol stops working silently`,
        remedy: `ip link set ${device} mtu ${ROOMY}, on all nodes and switches between them`,
      },
    ];
  // Router nodes have no overlay.
  if (underlayMtu < ROOMY && ovs !== undefined)
    return [
      {
        about: 'underlay',
        grade: 'less',
        text: `MTU ${underlayMtu}: overlay networks carry ${underlayMtu - 58} bytes, and nothing larger reaches their instances from outside; VLAN networks carry all of it`,
        remedy: `where overlay networks have public addresses: ip link set ${device} mtu ${ROOMY} or more, on all nodes and switches between them, then updateConfiguration name=network.underlay.mtu value=${ROOMY}`,
      },
    ];
  return [
    ok('underlay', `MTU ${underlayMtu}: overlay networks carry ${underlayMtu - 58} bytes, VLAN networks all of it`),
  ];
}

function clock({ clockSynchronized }: Facts): Finding[] {
  if (clockSynchronized !== false) return [];
  return [
    {
      about: 'clock',
      grade: 'danger',
      text: 'nobody keeps the clock: signed requests expire by it, and certificates begin and end by it',
      remedy: 'apt-get install systemd-timesyncd (or chrony)',
    },
  ];
}

function program(facts: Facts, name: string, packageName: string, why: string, grade: Grade = 'cannot'): Finding {
  const said = facts.programs[name];
  if (said !== undefined) return ok(name, said);
  return {
    about: name,
    grade,
    text: `${name} is not here: ${why}`,
    remedy: `apt-get install --no-install-recommends ${packageName}`,
  };
}

function feature(facts: Facts, name: Feature, grade: Grade, without: string, remedy: string): Finding {
  const tried = facts.features[name];
  if (tried === true) return ok(name, 'the kernel has it');
  return { about: name, grade, text: `the kernel has it not (${tried}): ${without}`, remedy };
}
