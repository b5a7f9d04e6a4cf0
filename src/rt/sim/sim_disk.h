// sim_disk: a disk in memory that fails as disks do, driven by a seed. What was written is in the machine's memory until
// it is synced; when the machine crashes each unsynced sector is on the disk or not, by chance, and so is each name.
#pragma once

#include "base/seed.h"
#include "rt/disk/disk.h"

struct sim_disk;

enum { SIM_DISK_SECTOR = 512 };

struct sim_disk_faults {
    unsigned write_per_mille; // a write fails with EIO; some of its sectors may be there
    unsigned sync_per_mille;  // a sync fails with EIO; some sectors get there, and the next sync knows nothing of them
    uint64_t capacity;        // bytes; beyond it ENOSPC
};

struct sim_disk *sim_disk_new(struct seed *seed);
void sim_disk_free(struct sim_disk *d); // every file of every mount is closed
void sim_disk_set_faults(struct sim_disk *d, const struct sim_disk_faults *faults);

// A process's view. When the process is killed its mount dies: every later call is cancelled and changes nothing.
// What it wrote before stays, as a kernel keeps the pages of a process that died.
struct disk *sim_disk_mount(struct sim_disk *d);
void sim_disk_unmount(struct disk *mount); // its files are closed
void sim_disk_kill(struct disk *mount);

// The `operations`th change from now is the last one: it is done in part or not at all, every mount is dead from that
// moment, and `fell` is called, which must not suspend. 0 takes it back.
void sim_disk_fall_at(struct sim_disk *d, uint64_t operations, void (*fell)(void *arg), void *arg);

// The machine loses power: what was not synced is lost, or torn.
void sim_disk_crash(struct sim_disk *d);

// Whether `needle` is in a file that a crash at this moment would leave whole and under its name.
bool sim_disk_durable_has(struct sim_disk *d, struct slice needle);

// Walks the files as they are now.
void sim_disk_each(struct sim_disk *d, void (*each)(void *arg, const char *name, struct slice bytes), void *arg);

