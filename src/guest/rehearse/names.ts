/** What belongs to a rehearsal is known by its name: domain, volumes and directory (docs/design/rehearse.md). */

/** No guest of anybody's begins so. */
export const REHEARSAL_PREFIX = "domus-rehearse-";

/** Random hexadecimal digits. */
const ID = /^[0-9a-f]{8}$/;
/** With prefix and id it is within what xl, its log files and domus take for a name. */
const MAX_GUEST_LENGTH = 38;

/** Whether a domain of that name is a copy that `domus rehearse` has started. */
export function isRehearsal(name: string): boolean {
  return name.startsWith(REHEARSAL_PREFIX);
}

/** The copy's name. Of the guest's only what is safe in a name; it is for people, the id tells copies apart. */
export function rehearsalName(guest: string, id: string): string {
  const safe = guest.replaceAll(/[^A-Za-z0-9_.+-]/g, "_").slice(0, MAX_GUEST_LENGTH);
  return `${REHEARSAL_PREFIX}${safe}-${id}`;
}

/** The id of a copy's domain; undefined for a name that is none of ours. */
export function idOfDomain(name: string): string | undefined {
  return isRehearsal(name) ? idIn(name.slice(name.lastIndexOf("-") + 1)) : undefined;
}

export function volumeName(id: string, index: number): string {
  return `${REHEARSAL_PREFIX}${id}-${index}`;
}

/** The id of a copy's volume; undefined for a name that is none of ours. */
export function idOfVolume(name: string): string | undefined {
  const match = /^domus-rehearse-([0-9a-f]{8})-\d{1,4}$/.exec(name);
  return match?.[1];
}

/** The name itself, when it can be an id. */
export function idIn(text: string): string | undefined {
  return ID.test(text) ? text : undefined;
}
