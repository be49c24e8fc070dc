/** What btrfs has beyond other filesystems, made in a mounted one. */
import { sh } from "../../../../support/need.ts";

/** Shared, cut, overwritten and preallocated extents, inline files, files without checksums. */
export function makeBtrfsForms(root: string): void {
  sh(`
    cd '${root}'; mkdir forms; cd forms
    fill() { printf "$1%.0s" $(seq $(($2 / \${#1} + 1))) > full; head -c "$2" full; rm full; }
    fill 'the quick brown fox ' 3000000 > text
    head -c 1500000 /dev/urandom > noise
    cat text noise text > mixed
    cp --reflink=always text clone
    cp --reflink=always mixed overwritten
    for i in 3 100 101 555; do printf 'changed' | dd of=overwritten bs=1 seek=$((i*4099)) conv=notrunc status=none; done
    xfs_io -f -c 'reflink text 65536 0 131072' -c 'reflink noise 4096 131072 40960' shared > /dev/null
    truncate -s 100000 clone
    for size in 1 100 2047 2048 2049 3900 4095 4096; do fill inline $size > inline-$size; done
    fill inline 3000 > grown; truncate -s 10000 grown
    head -c 2000 /dev/urandom > grown-noise; truncate -s 1000000 grown-noise
    fallocate -l 1M prealloc; printf 'written' | dd of=prealloc bs=1 seek=300000 conv=notrunc status=none
    touch nocow; chattr +C nocow; head -c 200000 text >> nocow
    touch packed; chattr +c packed || true; head -c 200000 text >> packed
    for i in $(seq 200); do ln text hard-$i-$(printf 'n%.0s' $(seq 100)) || break; done # without extref there is no room for all
    sync -f .
  `);
}

/** Subvolumes in directories and in each other, a snapshot of one that has another in it, one that was deleted. */
export function makeSubvolumes(root: string): void {
  sh(`
    cd '${root}'; mkdir vols
    btrfs subvolume create @; btrfs subvolume create @home; btrfs subvolume create vols/inner
    mkdir @/boot; echo vmlinuz > @/boot/vmlinuz; ln -s /boot/vmlinuz @/vmlinuz; echo inner > vols/inner/file
    btrfs subvolume create @/nested; echo nested > @/nested/file; chown 12:34 @/nested
    btrfs subvolume create @/nested/deeper; echo deeper > @/nested/deeper/file
    sync -f .
    btrfs subvolume snapshot @ snapshot; btrfs subvolume snapshot -r @ vols/readonly
    echo changed >> snapshot/boot/vmlinuz; rm snapshot/vmlinuz; echo new > snapshot/new
    btrfs subvolume snapshot snapshot snapshot2
    mv vols/inner vols/renamed
    btrfs subvolume create gone; btrfs subvolume delete -c gone
  `);
}

/** An image with a filesystem on it. */
export function mkfsBtrfs(image: string, options: string): void {
  sh(`mkfs.btrfs -q -f ${options} '${image}'`);
}

/** Forgets what the kernel knows about devices: the next mount is of another copy of the same filesystem. */
export function forgetDevices(): void {
  sh("btrfs device scan --forget");
}
