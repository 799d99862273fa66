// Reads what an operator said of a switch besides its address: checked by a schema of each driver, refused with the option's name.
import type { z } from 'zod';
import type { SwitchDocument } from '../protocol/switch.ts';
import { SwitchFault } from './driver.ts';

/** The options as the driver's schema wants them. Values that come as text from a form are fine. Throws a sentence. */
export function optionsOf<Options>(document: SwitchDocument, schema: z.ZodType<Options>): Options {
  const result = schema.safeParse(document.options);
  if (result.success) return result.data;
  const why = result.error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') return `there is no option ${issue.keys.join(', ')} for this driver`;
    return `option ${issue.path.join('.')}: ${issue.message}`;
  });
  throw new SwitchFault(why.join('; '));
}
