# The boot sector of a guest without an operating system, and so without PV drivers: small enough for an emulated processor in an
# emulated processor, where Linux takes a quarter of an hour. All is done by the BIOS, in real mode.
#
# It counts: every second it writes a line `tick BOOT NUMBER` to a sector of its own on the disk that it was started from, and then
# says it on its first serial port, as the login prompt by which others see that it is up. The number is in its memory alone, so
# that a guest that was started anew cannot count on; the boots are counted on the disk. It hears neither Xen nor its power button.
#
#   sector 0                          this
#   sector 1                          boots so far, 16 bits, little-endian; 0 at first
#   sector BOOT * AREA + NUMBER - 1   the line, and zeros

        .set AREA, 4096                 # sectors for each boot: it counts for more than an hour
        .set SECTOR, 0x8000             # where sectors are read to and written from
        .set TIMER, 0x46c               # of the BIOS: interrupts of the clock since midnight, 18.2 a second
        .set SECOND, 18
        .set SERIAL_9600_8N1, 0xe3

        .code16
        .text
        .globl _start
_start:
        ljmp    $0, $begin              # some BIOSes start it at 07c0:0000
begin:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $_start, %sp
        cld
        sti
        movb    %dl, drive
        movw    $SERIAL_9600_8N1, %ax   # AH 00h: initialise the port DX
        xorw    %dx, %dx
        int     $0x14

        movb    $0x42, %ah              # extended read
        call    disk
        movw    SECTOR, %ax
        incw    %ax
        movw    %ax, boot
        movw    %ax, SECTOR
        movw    $0x4300, %ax            # extended write
        call    disk

tick:
        incw    number
        movw    $SECTOR, %di
        movw    $256, %cx
        xorw    %ax, %ax
        rep stosw
        movw    $SECTOR, %di
        movw    $word, %si
        movw    $WORD_BYTES, %cx
        rep movsb
        movw    boot, %ax
        call    decimal
        movb    $' ', %al
        stosb
        movw    number, %ax
        call    decimal
        movw    $0x0a0d, %ax
        stosw

        movw    $AREA, %ax
        mulw    boot
        addw    number, %ax
        adcw    $0, %dx
        subw    $1, %ax
        sbbw    $0, %dx
        movw    %ax, packet_sector
        movw    %dx, packet_sector + 2
        movw    $0x4300, %ax
        call    disk
        movw    $SECTOR, %si            # only now: what it says is on its disk
        call    say
        movw    $prompt, %si            # each time: nobody may have listened before
        call    say

        movw    $SECOND, %cx
wait:
        movw    TIMER, %bx
1:      hlt                             # until an interrupt
        cmpw    TIMER, %bx
        je      1b
        loop    wait
        jmp     tick

# Reads or writes the sector of `packet`, as AX says.
disk:
        movw    $packet, %si
        movb    drive, %dl
        int     $0x13
        jnc     1f
        movw    $broken, %si
        call    say
2:      hlt
        jmp     2b
1:      ret

# Appends AX at DI.
decimal:
        movw    $10, %bx
        xorw    %cx, %cx
1:      xorw    %dx, %dx
        divw    %bx
        pushw   %dx
        incw    %cx
        testw   %ax, %ax
        jnz     1b
2:      popw    %ax
        addb    $'0', %al
        stosb
        loop    2b
        ret

# Sends what is at SI up to a zero byte.
say:
        lodsb
        testb   %al, %al
        jz      1f
        movb    $0x01, %ah              # send AL on the port DX
        xorw    %dx, %dx
        int     $0x14
        jmp     say
1:      ret

prompt: .asciz  "ticking login:\r\n"
broken: .asciz  "its disk fails\r\n"
word:   .ascii  "tick "
        .set WORD_BYTES, . - word

        .balign 4
packet: .byte   16, 0                   # disk address packet: its size, 0
        .word   1, SECTOR, 0            # one sector, to or from offset and segment
packet_sector:
        .long   1, 0

drive:  .byte   0
boot:   .word   0
number: .word   0

        .org    _start + 510            # an error when the code is too long
        .word   0xaa55
