/**
 * One gzip member: RFC 1952. The deflate data in it goes through node:zlib; header and trailer are read here, because
 * zlib's own gzip reader goes on into the next member, and what follows a kernel or a segment of an initramfs is not
 * always one.
 */
import { crc32, createInflateRaw } from "node:zlib";
import { unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { CHUNK_BYTES } from "./reader.ts";
import type { Reader } from "./reader.ts";
import { runZlib } from "./zlib-stream.ts";

const MAGIC = [0x1f, 0x8b];
const METHOD_DEFLATE = 8;

/** Section 2.3.1; FTEXT (bit 0) changes nothing. */
const FHCRC = 0x02;
const FEXTRA = 0x04;
const FNAME = 0x08;
const FCOMMENT = 0x10;
const RESERVED = 0xe0;

export async function* unpackGzip(reader: Reader): AsyncGenerator<Uint8Array, void> {
  readHeader(reader);
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  const chunks = runZlib(inflate, reader.bytes.subarray(reader.at), reader);
  let sum = 0;
  let size = 0;
  for await (const chunk of chunks) {
    sum = crc32(chunk, sum);
    size += chunk.length;
    yield chunk;
  }
  reader.at += inflate.bytesWritten;
  if (reader.u32le() !== sum) throw reader.corrupt("a wrong CRC-32", "that of the gzip trailer");
  if (reader.u32le() !== size % 2 ** 32) {
    throw reader.corrupt(
      "another size",
      `the ${size} bytes that were unpacked in the gzip trailer`,
    );
  }
}

/** Section 2.3 */
function readHeader(reader: Reader): void {
  const from = reader.at;
  reader.expect(MAGIC, "the magic of gzip");
  const method = reader.u8();
  if (method !== METHOD_DEFLATE) throw unsupported(reader.where, `gzip method ${method}`);
  const flags = reader.u8();
  if (flags & RESERVED) throw unsupported(reader.where, `a gzip header with flags ${hex(flags)}`);
  reader.take(6); // MTIME, XFL, OS
  if (flags & FEXTRA) reader.take(reader.u16le());
  if (flags & FNAME) skipCString(reader);
  if (flags & FCOMMENT) skipCString(reader);
  if (flags & FHCRC) {
    const sum = crc32(reader.bytes.subarray(from, reader.at)) & 0xffff;
    if (reader.u16le() !== sum) throw reader.corrupt("a wrong CRC-16", "that of the gzip header");
  }
}

function skipCString(reader: Reader): void {
  const end = reader.bytes.indexOf(0, reader.at);
  if (end < 0) throw reader.truncated();
  reader.at = end + 1;
}
