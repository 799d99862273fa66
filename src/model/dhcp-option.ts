// DHCP options that an instance's card may be sent beside what its network sends: those that say where to look, and none that would lead its
// packets elsewhere than its network does.

/** Values by the option's code, as text. */
export type DhcpOptions = Readonly<Record<string, string>>;

export interface DhcpOption {
  /** OVN's name of it (ovn-nb(5), DHCP_Options). */
  readonly ovn: string;
  readonly name: string;
  readonly kind: 'addresses' | 'text' | 'domains' | 'mtu';
}

/** By code (RFC 2132, 3397, 5859). */
export const DHCP_OPTIONS: Readonly<Record<string, DhcpOption>> = {
  6: { ovn: 'dns_server', name: 'resolvers', kind: 'addresses' },
  15: { ovn: 'domain_name', name: 'domain', kind: 'text' },
  26: { ovn: 'mtu', name: 'MTU', kind: 'mtu' },
  42: { ovn: 'ntp_server', name: 'time servers', kind: 'addresses' },
  66: { ovn: 'tftp_server', name: 'boot server', kind: 'text' },
  67: { ovn: 'bootfile_name', name: 'boot file', kind: 'text' },
  119: { ovn: 'domain_search_list', name: 'search domains', kind: 'domains' },
  150: { ovn: 'tftp_server_address', name: 'boot servers', kind: 'addresses' },
  252: { ovn: 'wpad', name: 'proxy configuration', kind: 'text' },
};
