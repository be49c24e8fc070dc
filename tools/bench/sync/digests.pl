#!/usr/bin/perl
# The sysadmin's script: digests of blocks of 1 MiB on the far side, what differs through lzop, written in place.
# digests.pl digest FILE | digests.pl changed FILE DIGESTS | digests.pl write FILE
use strict; use warnings; use Digest::MD5 qw(md5);
my ($what, $file, $digests) = @ARGV;
my $block = 1 << 20;
binmode STDIN; binmode STDOUT;
open(my $disk, $what eq 'write' ? '+<:raw' : '<:raw', $file) or die "$file: $!";
if ($what eq 'write') {
  while (read(STDIN, my $head, 12) == 12) {
    my ($at, $length) = unpack('QL', $head);
    read(STDIN, my $bytes, $length) == $length or die "short";
    sysseek($disk, $at, 0); syswrite($disk, $bytes) == $length or die "$file: $!";
  }
} else {
  my $theirs;
  if ($what eq 'changed') { open($theirs, '<:raw', $digests) or die "$digests: $!"; }
  for (my $at = 0; (my $got = sysread($disk, my $bytes, $block)); $at += $got) {
    my $md5 = md5($bytes);
    if ($what eq 'digest') { print $md5; next; }
    read($theirs, my $other, 16);
    print pack('QL', $at, $got), $bytes if $md5 ne $other;
  }
}
