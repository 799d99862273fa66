// What the wire said: receipts of moves, scans, and who was seen. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.

/** What became of an announcement: when it was made, who answered for the address afterwards, and how long it was away. */
export interface ReceiptTable {
  id: string;
  network: string;
  /** The card it came to; its row may be gone meanwhile. */
  nic: string | null;
  ip: string;
  mac: string;
  /** Why it was announced: start, address, migration, takeover. */
  cause: string;
  /** The generation of the move; of a takeover, which nobody asked for, its time in milliseconds. */
  moved: number;
  /** Who announced. */
  node: string;
  announced: string;
  /** Address of the upstream that was asked. */
  upstream: string | null;
  /** MAC that the upstream uses for the address. */
  answeredby: string | null;
  /** learnt, stale, mute, silent; null: nobody was asked, or could be. */
  verdict: string | null;
  /** From the announcement to that answer. */
  afterms: number | null;
  outagems: number | null;
  /** The whole of it as a sentence. */
  text: string;
  account: string;
  domain: string;
  created: string;
}

/**
 * A question to the wire, asked by the node `host`: who is there? Or, where `route` is set, whether the card `nic` reaches `target`
 * behind the member of that network route; the answer is in `found`.
 */
export interface ScanTable {
  id: string;
  network: string;
  host: string;
  route: string | null;
  nic: string | null;
  target: string | null;
  /** JSON: what was seen, as the node tells it. */
  found: string | null;
  /** Requested, Done, Failed. */
  state: string;
  error: string | null;
  account: string;
  domain: string;
  finished: string | null;
  created: string;
}

/** Who was seen in a network, first and last. `place`: the switch port or hypervisor port, as text. */
export interface SightingTable {
  id: string;
  network: string;
  mac: string;
  ip: string;
  vendor: string | null;
  place: string | null;
  first: string;
  last: string;
  created: string;
}
