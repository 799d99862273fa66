// What a test expects of a refusal: its code and a part of its text.
import { Refusal } from '../../src/api/error.ts';

/** For `assert.rejects(…, refused(431, /text/))`: anything else, a bug included, fails the test. */
export function refused(status: number, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === status && text.test(error.message)) return true;
    throw new Error(`refused with ${error.status} "${error.message}" instead of ${status} ${text}`);
  };
}
