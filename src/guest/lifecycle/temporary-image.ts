/** What an image is called while it is written, and nobody may take it for one. */
import { directoryOf, fileName } from "../../base/path.ts";

const TEMPORARY = /^\.(.+)\.saving$/s;

export function temporaryImage(image: string): string {
  return `${directoryOf(image)}/.${fileName(image)}.saving`;
}

/** What it will be called when it is whole; undefined for one that domus does not write. */
export function imageOfTemporary(path: string): string | undefined {
  const name = TEMPORARY.exec(fileName(path))?.[1];
  return name === undefined ? undefined : `${directoryOf(path)}/${name}`;
}
