/**
 * The keys of xl.cfg, by what xl reads them as (xen: tools/xl/xl_parse.c, parse_config_data, of 4.14 to 4.22). No
 * release took a key away in that time; `KEY_SINCE` has those that came later than 4.14.
 */

import { nearestWord } from "../base/nearest-word.ts";
export type KeyKind =
  | "text"
  | "number"
  /** A number that is 0 or not 0. */
  | "flag"
  | "list"
  | "text or list"
  | "number or text"
  | "number or list";

const KEYS_BY_KIND: Readonly<Record<KeyKind, string>> = {
  text: `acpi_firmware arm_sci bios bios_path_override boot bootloader bootloader_user builder cmdline device_model
    device_model_override device_model_stubdomain_seclabel device_model_user device_model_version device_tree
    display extra firmware firmware_override gic_version hdtype init_seclabel kernel keymap ms_vm_genid name
    on_crash on_poweroff on_reboot on_soft_reset on_watchdog passthrough pool pvshim_cmdline pvshim_extra
    pvshim_path ramdisk rdm root seclabel smbios_firmware soundhw spice_image_compression spice_streaming_video
    spicehost spicepasswd stubdomain_cmdline stubdomain_kernel stubdomain_ramdisk sve tee type uuid
    vendor_device vga vnclisten vncpasswd vuart xauthority`,
  number: `altp2m_count cap cpu_weight extratime latency max_event_channels max_grant_frames max_grant_version
    max_maptrack_frames maxmem maxvcpus memory mmio_hole nr_spis pci_msitranslate pci_permissive pci_power_mgmt
    pci_seize period rdm_mem_boundary rtc_timeoffset shadow_memory slice spiceport spicetls_port
    spiceusbredirection stdvga stubdomain_memory usbversion vcpus videoram vmtrace_buf_kb vncdisplay vncviewer
    xenstore_feature_mask`,
  flag: `acpi acpi_laptop_slate acpi_s3 acpi_s4 altp2mhvm apic bootloader_restrict
    device_model_stubdomain_override dm_restrict driver_domain e820_host hap hpet hvm_pirq localtime msr_relaxed
    nestedhvm nographic nomigrate nx oos opengl pae pvshim sdl spice spice_clipboard_sharing spiceagent_mouse
    spicedisable_ticketing spicevdagent trap_unmapped_accesses usb vkb_device vnc vncunused vpmu vpt_align
    xen_platform_pci xen_platform_pci_bar_uc xend_suspend_evtchn_compat`,
  list: `channel device_model_args device_model_args_hvm device_model_args_pv disk dtdev iomem ioports irqs
    llc_colors mca_caps p9 pci pvcalls smbios usbctrl usbdev vdispl vfb vif vif2 virtio vkb vnuma vsnd vtpm
    xenstore_quota`,
  "text or list": "bootloader_args cpuid cpus cpus_soft serial usbdevice",
  "number or text": "altp2m gfx_passthru timer_mode tsc_mode",
  "number or list": "viridian",
};

function words(text: string): string[] {
  return text.split(/\s+/);
}

const KINDS: ReadonlyMap<string, KeyKind> = new Map(
  Object.entries(KEYS_BY_KIND).flatMap(([kind, keys]) =>
    words(keys).map((key) => [key, kind as KeyKind] as const),
  ),
);

/** The release of Xen that first knew the key; older ones ignore it without a word. */
const KEY_SINCE: Readonly<Record<string, string>> = {
  vmtrace_buf_kb: "4.15",
  msr_relaxed: "4.15",
  max_grant_version: "4.16",
  stubdomain_cmdline: "4.16",
  vpmu: "4.16",
  bootloader_restrict: "4.18",
  bootloader_user: "4.18",
  smbios: "4.18",
  sve: "4.18",
  virtio: "4.18",
  hvm_pirq: "4.19",
  nr_spis: "4.19",
  llc_colors: "4.20",
  altp2m_count: "4.21",
  arm_sci: "4.21",
  trap_unmapped_accesses: "4.21",
  xen_platform_pci_bar_uc: "4.21",
  xenstore_feature_mask: "4.21",
  xenstore_quota: "4.22",
};

/** What the old xm knew (its xmdomain.cfg) and xl passes over without a word. */
const XM_KEYS: ReadonlySet<string> = new Set(
  words(
    `access_control blkif bootargs bootentry cpu cpu_cap cpuid_check description dhcp fda fdb features gateway
    guest_os_type hostname interface ip irq isa loader machine_address_size memory_sharing monitor monitor_path
    netif netmask nfs_root nfs_server nics on_xend_start on_xend_stop parallel restart s3_integrity superpages
    suppress_spurious_page_faults target vcpu_avail vhpt vncconsole vscsi vusb`,
  ),
);

export function keyKind(key: string): KeyKind | undefined {
  return KINDS.get(key);
}

/** `4.18`; undefined for keys that Xen 4.14 knew. */
export function keySince(key: string): string | undefined {
  return Object.hasOwn(KEY_SINCE, key) ? KEY_SINCE[key] : undefined;
}

export function isXmKey(key: string): boolean {
  return XM_KEYS.has(key);
}

/** The known key that `key` is most likely a slip of: `memroy` is `memory`. Undefined when none is near. */
export function nearestKey(key: string): string | undefined {
  return nearestWord(key, KINDS.keys());
}
