// The .mobileconfig that Apple devices read for IKEv2: what they would be told by hand, and what they cannot be told so, as the kind of
// our certificate. Pure. It holds no password: the device asks for it.
import { derivedId } from '../../lib/id.ts';
import { authorityName } from '../../model/vpn.ts';

export interface AppleProfile {
  /** Id of the VPN: a profile that is installed later takes the place of the one before. */
  readonly vpn: string;
  /** Public address, which is what the server calls itself. */
  readonly address: string;
  readonly username: string;
  /** PEM. */
  readonly ca: string;
}

interface Dict {
  readonly [key: string]: Value;
}

type Value = string | number | Uint8Array | readonly Dict[] | Dict;

/** Of CLIENT_IKE and CLIENT_ESP (agent/helper/vpn-ipsec.ts) the best; group 19 is ecp256. */
const PROTECTION: Dict = { EncryptionAlgorithm: 'AES-256-GCM', IntegrityAlgorithm: 'SHA2-256', DiffieHellmanGroup: 19 };

/** A configuration profile. Keys: developer.apple.com/documentation/devicemanagement, VPN.IKEv2 and CertificateRoot. */
export function appleProfileText({ vpn, address, username, ca }: AppleProfile): string {
  const name = `VPN ${address}`;
  const payload = (type: string, part: string, title: string): Dict => ({
    PayloadType: type,
    PayloadVersion: 1,
    PayloadIdentifier: `trunkline.vpn.${vpn}${part}`,
    PayloadUUID: derivedId(`apple-profile/${vpn}${part}`).toUpperCase(),
    PayloadDisplayName: title,
  });
  const root = {
    ...payload('com.apple.security.root', '.authority', `Authority of ${name}`),
    PayloadCertificateFileName: 'authority.cer',
    PayloadContent: Buffer.from(ca.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
  };
  const tunnel = {
    ...payload('com.apple.vpn.managed', '.tunnel', name),
    UserDefinedName: name,
    VPNType: 'IKEv2',
    // Everything that is not behind the VPN goes its own way.
    IPv4: { OverridePrimary: 0 },
    IKEv2: {
      RemoteAddress: address,
      RemoteIdentifier: address,
      LocalIdentifier: username,
      // With None, the user is known by EAP; the server by its certificate.
      AuthenticationMethod: 'None',
      ExtendedAuthEnabled: 1,
      AuthName: username,
      CertificateType: 'ECDSA256',
      ServerCertificateIssuerCommonName: authorityName(vpn),
      ServerCertificateCommonName: address,
      EnablePFS: 1,
      DeadPeerDetectionRate: 'Medium',
      IKESecurityAssociationParameters: PROTECTION,
      ChildSecurityAssociationParameters: PROTECTION,
    },
  };
  const whole = { ...payload('Configuration', '', name), PayloadContent: [root, tunnel] };
  return [
    // Single quotes, which JSON leaves as they are.
    "<?xml version='1.0' encoding='UTF-8'?>",
    "<!DOCTYPE plist PUBLIC '-//Apple//DTD PLIST 1.0//EN' 'http://www.apple.com/DTDs/PropertyList-1.0.dtd'>",
    "<plist version='1.0'>",
    element(whole),
    '</plist>',
    '',
  ].join('\n');
}

function element(value: Value): string {
  if (typeof value === 'string') return `<string>${escaped(value)}</string>`;
  if (typeof value === 'number') return `<integer>${value}</integer>`;
  if (value instanceof Uint8Array) return `<data>${Buffer.from(value).toString('base64')}</data>`;
  if (isList(value)) return ['<array>', ...value.map(element), '</array>'].join('\n');
  const lines = Object.entries(value).map(([key, one]) => `<key>${escaped(key)}</key>${element(one)}`);
  return ['<dict>', ...lines, '</dict>'].join('\n');
}

/** Array.isArray() knows no readonly ones. */
function isList(value: Dict | readonly Dict[]): value is readonly Dict[] {
  return Array.isArray(value);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
