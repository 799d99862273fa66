// One row that is to be written or removed: what the planner gives, and what the transaction, the drift report and the steps are
// made of.
import type { Row } from './replica.ts';

export interface Change {
  /** `drop`: a row of a non-root table that goes because no row refers to it any more; needs no operation of its own. */
  readonly kind: 'insert' | 'update' | 'delete' | 'drop';
  readonly table: string;
  readonly uuid: string;
  readonly unit: string;
  /** The row as found; absent for an insert. */
  readonly before?: Row;
  /** The row as wanted; absent for a delete or drop. */
  readonly after?: Row;
  /** Columns to write, for an update. */
  readonly columns: readonly string[];
  /** We had written it, and somebody else changed it. */
  readonly drift: boolean;
}
