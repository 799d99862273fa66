// What can be ordered: offerings and templates. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

export interface ServiceOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  cpunumber: number;
  cpuspeed: number;
  memory: number;
  tags: string | null;
  networkrate: number | null;
  offerha: Bit;
  issystem: Bit;
  removed: Bit;
  sort: number;
  created: string;
}

export interface DiskOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** GiB. */
  disksize: number;
  iscustomized: Bit;
  tags: string | null;
  removed: Bit;
  sort: number;
  created: string;
}

export interface TemplateTable {
  id: string;
  name: string;
  displaytext: string;
  account: string;
  domain: string;
  zone: string | null;
  ostypename: string;
  format: string;
  hypervisor: string;
  /** Bytes. */
  size: number;
  url: string | null;
  templatetype: string;
  passwordenabled: Bit;
  sshkeyenabled: Bit;
  ispublic: Bit;
  isfeatured: Bit;
  isextractable: Bit;
  isdynamicallyscalable: Bit;
  isready: Bit;
  /** Root's password in the image, where the image sets one: a fact about the image, not a secret of a tenant. */
  rootpassword: string | null;
  removed: Bit;
  created: string;
}

export interface NetworkOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** Isolated, Shared, L2, Private. */
  guesttype: string;
  /** JSON: [{ name, provider }]. */
  services: string;
  specifyvlan: Bit;
  specifyipranges: Bit;
  conservemode: Bit;
  ispersistent: Bit;
  isdefault: Bit;
  forvpc: Bit;
  egressdefaultpolicy: Bit;
  availability: string;
  state: string;
  networkrate: number | null;
  tags: string | null;
  serviceoffering: string | null;
  /** vlan or overlay: what a network's segment is made of. */
  segment: string;
  /** NATTED, or ROUTED: instances have routable addresses and whoever routes does not translate them. */
  networkmode: string;
  /** JSON { service: { capability: value } }: RedundantRouter of SourceNat and Gateway, and the like. */
  capabilities: string;
  /** JSON { key: value } of the client's own. */
  details: string | null;
  /** ipv4, dualstack or ipv6. */
  internetprotocol: string;
  sort: number;
  created: string;
}

export interface VpcOfferingTable {
  id: string;
  name: string;
  displaytext: string;
  /** JSON: [{ name, provider }]. */
  services: string;
  isdefault: Bit;
  redundant: Bit;
  state: string;
  serviceoffering: string | null;
  internetprotocol: string;
  /** JSON { service: { capability: value } }. */
  capabilities: string;
  sort: number;
  created: string;
}
