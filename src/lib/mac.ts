// MAC addresses as people write them: with colons, dashes, dots or nothing between the digits.

/** Lower case with colons, from `52:54:00:12:34:56`, `52-54-00-12-34-56`, `5254.0012.3456` or `525400123456`; undefined if it is none. */
export function parseMac(text: string): string | undefined {
  const typed = text.trim();
  const digits = typed.toLowerCase().replaceAll(/[:.-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(digits) || !/^[0-9a-f]{1,4}([:.-]?[0-9a-f]{1,4})*$/i.test(typed)) return undefined;
  return digits.match(/../g)!.join(':');
}

/** Whether one machine can have the address (IEEE 802: the lowest bit of the first byte says "group"). `mac`: as parseMac() gives it. */
export function isUnicast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}
