#!/usr/bin/perl
# dkim_verify: what Mail::DKIM says of messages: dkim_verify.pl RECORDS FILE...; a line of RECORDS is a name, a tab and a
# TXT record. Prints a line for each signature: file, algorithm, result.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Net::DNS;

my ($records, @files) = @ARGV;
my %txt;
open my $in, '<', $records or die "$records: $!\n";
while (<$in>) {
    chomp;
    my ($name, $text) = split /\t/, $_, 2;
    $txt{lc $name} = $text;
}
close $in;
{
    no warnings 'redefine';
    *Mail::DKIM::DNS::query = sub {
        my $text = $txt{lc $_[0]};
        return unless defined $text;
        return Net::DNS::RR->new(owner => $_[0], type => 'TXT', txtdata => [unpack '(A255)*', $text]);
    };
}
for my $file (@files) {
    open my $message, '<:raw', $file or die "$file: $!\n";
    my $verifier = Mail::DKIM::Verifier->new();
    $verifier->load($message);
    close $message;
    print join("\t", $file, $_->algorithm // '', $_->result_detail), "\n" for $verifier->signatures;
}
