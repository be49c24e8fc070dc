/** qcow2 images made byte by byte, for damage and hostility. Without anything from src/. */
export type Qcow2Bytes = {
  readonly version?: number;
  readonly clusterBits?: number;
  readonly sizeBytes?: number;
  readonly fileBytes?: number;
  readonly incompatible?: bigint;
  readonly crypt?: number;
  readonly l1Entries?: number;
  /** In the first L2 table, by index. */
  readonly l2?: Readonly<Record<number, bigint>>;
  /** What stands behind the entries of an extended table, by index. */
  readonly bitmaps?: Readonly<Record<number, bigint>>;
  readonly backing?: { readonly name: string; readonly format?: string };
  readonly compressionType?: number;
};

/** Header in cluster 0, L1 table in cluster 1, L2 table in cluster 2; cluster n is filled with n from 3 on. */
export function qcow2Image(image: Qcow2Bytes = {}): Uint8Array {
  const { version = 3, clusterBits = 12, sizeBytes = 65536, l2 = {}, backing } = image;
  const cluster = 2 ** clusterBits;
  const bytes = new Uint8Array(image.fileBytes ?? cluster * 8);
  for (let at = 3 * cluster; at < bytes.length; at += cluster) {
    bytes.fill(at / cluster, at, at + cluster);
  }
  const view = new DataView(bytes.buffer);
  bytes.set([0x51, 0x46, 0x49, 0xfb]);
  view.setUint32(4, version);
  view.setUint32(20, clusterBits);
  view.setBigUint64(24, BigInt(sizeBytes));
  view.setUint32(32, image.crypt ?? 0);
  view.setUint32(36, image.l1Entries ?? 1);
  view.setBigUint64(40, BigInt(cluster));
  let end = 72;
  if (version >= 3) {
    view.setBigUint64(72, image.incompatible ?? 0n);
    view.setUint32(96, 4);
    view.setUint32(100, 112);
    bytes[104] = image.compressionType ?? 0;
    end = 112;
  }
  if (backing) {
    if (backing.format !== undefined) {
      view.setUint32(end, 0xe2792aca);
      view.setUint32(end + 4, backing.format.length);
      bytes.set(Buffer.from(backing.format), end + 8);
      end += 8 + Math.ceil(backing.format.length / 8) * 8;
    }
    end += 8;
    view.setBigUint64(8, BigInt(end));
    view.setUint32(16, backing.name.length);
    bytes.set(Buffer.from(backing.name), end);
  }
  view.setBigUint64(cluster, BigInt(2 * cluster));
  const width = image.bitmaps ? 16 : 8;
  for (const [index, entry] of Object.entries(l2)) {
    view.setBigUint64(2 * cluster + Number(index) * width, entry);
  }
  for (const [index, bits] of Object.entries(image.bitmaps ?? {})) {
    view.setBigUint64(2 * cluster + Number(index) * width + 8, bits);
  }
  return bytes;
}
