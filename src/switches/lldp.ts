// Neighbours as lldpd knows them (`lldpcli -f json0`, the form whose shape does not depend on how many there are). Pure.
import { z } from 'zod';
import type { SwitchActual } from '../protocol/switch.ts';

const VALUE = z.array(z.object({ type: z.string().optional(), value: z.string().optional() })).optional();

const NEIGHBOURS = z.object({
  lldp: z.array(
    z.object({
      interface: z
        .array(
          z.object({
            name: z.string(),
            chassis: z.array(z.object({ name: VALUE })).optional(),
            port: z.array(z.object({ id: VALUE, descr: VALUE })).optional(),
          }),
        )
        .optional(),
    }),
  ),
});

/** Who says it hangs on which port. Text that is not lldpcli's answer gives nobody: a switch without lldpd is no fault. */
export function neighboursOf(text: string): SwitchActual['neighbours'] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [];
  }
  const result = NEIGHBOURS.safeParse(json);
  if (!result.success) return [];
  return result.data.lldp.flatMap((all) =>
    (all.interface ?? []).map((each) => ({
      port: each.name,
      system: each.chassis?.[0]?.name?.[0]?.value ?? '',
      remotePort: portOf(each.port?.[0]),
    })),
  );
}

/** A Linux box gives its MAC address as the port's id, and the interface's name as its description. */
function portOf(port: { id?: z.infer<typeof VALUE>; descr?: z.infer<typeof VALUE> } | undefined): string {
  const id = port?.id?.[0];
  const description = port?.descr?.[0]?.value;
  return (id?.type === 'mac' ? description : undefined) ?? id?.value ?? description ?? '';
}
