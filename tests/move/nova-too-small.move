# since Pike the option itself has the minimum
policy nova
set nova.release 16
set nova.downtime 99
bad live_migration_downtime is 99
