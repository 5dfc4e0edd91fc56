#!/usr/bin/env bash
#SBATCH --job-name=reelprior
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --dependency=singleton
#
# A batch on a SLURM cluster: a scheduler and the client on the first node, a worker for each task of the allocation.
#
#     sbatch slurm.sh SOURCE OUTPUT [options of reelprior batch]
#
# SOURCE, OUTPUT and the current folder have to be on a file system that all nodes share. When the time is up, submit it
# again: what is finished stays, and at most the running chunks are lost. On a cluster without GPUs, take out the line
# --gpus-per-task above and set WORKER_OPTIONS to nothing.
set -euo pipefail

source=$1 output=$2
shift 2
worker_options=${WORKER_OPTIONS---resources GPU=1}
scheduler_file=$PWD/scheduler-${SLURM_JOB_ID:-$$}.json

dask scheduler --scheduler-file "$scheduler_file" --port 0 &
scheduler=$!
# One process and one thread for each GPU; srun shows each of them its own.
# shellcheck disable=SC2086 # the options are several words
srun dask worker --scheduler-file "$scheduler_file" --nthreads 1 $worker_options &
workers=$!
reelprior batch "$source" --output "$output" --scheduler "$scheduler_file" "$@" &
client=$!

# SLURM's warning, and Ctrl-C: the client ends within seconds, and says how to go on.
trap 'kill -TERM $client 2>/dev/null || true' TERM INT
status=0
wait $client || status=$?
# A trapped signal ends the waiting, not the client.
while kill -0 $client 2>/dev/null; do
    status=0
    wait $client || status=$?
done
# One after the other: a worker that loses its scheduler while it says goodbye waits for it without end.
for process in $workers $scheduler; do
    kill -TERM "$process" 2>/dev/null || true
    for _ in {1..20}; do
        kill -0 "$process" 2>/dev/null || break
        sleep 1
    done
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
done
rm -f "$scheduler_file"
exit $status
