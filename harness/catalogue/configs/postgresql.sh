# usage: start BIN-FOLDER
set -e
cd {dir}
"$1"/initdb --pgdata=data --username=postgres --auth=trust --no-locale --encoding=UTF8 --wal-segsize=1 \
	--no-sync --no-instructions
echo "host all all all trust" >>data/pg_hba.conf
"$1"/postgres -D data -p 8080 -c listen_addresses=0.0.0.0 -c unix_socket_directories= -c fsync=off -c jit=off \
	-c shared_buffers=4MB -c max_connections=10 -c autovacuum=off -c bgwriter_delay=10s -c wal_writer_delay=10s &
# At a SIGTERM it would wait for its sessions to end; at a SIGINT, it ends them.
trap "kill -INT $!" TERM
wait $! || wait $!
