// What the server keeps of its own work: jobs, events, tags, settings, numbers. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

export interface TagTable {
  id: string;
  /** Kind as the API names it: Vpc, Network, UserVm, … */
  kind: string;
  resource: string;
  key: string;
  value: string;
  account: string;
  domain: string;
  created: string;
}

export interface JobTable {
  id: string;
  user: string;
  account: string;
  domain: string;
  /** Command name. */
  cmd: string;
  /** 0 pending, 1 done, 2 failed. */
  status: number;
  resultcode: number;
  /** JSON: what the result was at settling where the object is gone, or {errorcode, errortext}. Never a secret. */
  result: string | null;
  /** What the result shows: the view's key (`vpc`, `virtualmachine`), and whose; null: {"success": true}. */
  view: string | null;
  instancetype: string | null;
  instanceid: string | null;
  /** The generation it waits for. */
  generation: number;
  /** Request id of the call, for the logs. */
  request: string;
  created: string;
  completed: string | null;
}

/** A state that a row enters when a generation is realized: Creating becomes Ready, Starting becomes Running. */
export interface TransitionTable {
  generation: number;
  kind: string;
  id: string;
  state: string;
}

export interface EventTable {
  id: string;
  type: string;
  /** INFO, WARN, ERROR. */
  level: string;
  /** Created, Scheduled, Started, Completed. */
  state: string;
  description: string;
  account: string;
  domain: string;
  user: string;
  /** The Scheduled event of the same job. */
  parent: string | null;
  resourcetype: string | null;
  resource: string | null;
  created: string;
  /** Order of entry: instants may be equal. */
  seq: number;
}

export interface ConfigurationTable {
  name: string;
  value: string;
  category: string;
  description: string;
  defaultvalue: string;
  isdynamic: Bit;
}

/** One row per touched object and generation: how the intent cache knows what to look at again. */
export interface ChangeTable {
  generation: number;
  kind: string;
  id: string;
}

/** Numbers that only grow: generation, instance, event. */
export interface CounterTable {
  name: string;
  value: number;
}
