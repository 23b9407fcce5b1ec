# What a tag leads to; nothing, if it is not there. No answer is an error.
leads_to() {
  local told="$RUNNER_TEMP/told" wrong="$RUNNER_TEMP/wrong"
  if docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' "$1" >"$told" 2>"$wrong"; then
    tr -d '"' <"$told"
  elif [[ $(tail -n 1 "$wrong") != "ERROR: "*"$1: not found" ]]; then
    cat "$wrong" >&2
    return 1
  fi
}

# With its provenance a build is an index, which keeps its digest.
give() {
  docker buildx imagetools create --tag "$REPOSITORY:$1" "$REPOSITORY@$DIGEST"
  echo "- \`$1\` → \`$DIGEST\`" >>"$GITHUB_STEP_SUMMARY"
}

# The build was made on what its label says only if the base is still that.
if [ -n "$BASE" ]; then
  now=$(leads_to "$BASE")
  if [ "$now" != "$BASE_DIGEST" ]; then
    echo "::error::$BASE has moved while the build was made: no tag was given, run it again"
    exit 1
  fi
fi

# A tag of a commit or of a day stays with the first build that has it.
day=${CREATED%%T*} day=${day//-/} tags=()
for tag in "$TAG-${COMMIT:0:7}" "$TAG-$day"; do
  digest=$(leads_to "$REPOSITORY:$tag")
  if [ -z "$digest" ]; then
    tags+=("$tag")
  else
    echo "::notice::$tag stays with $digest: such a tag is never overwritten"
  fi
done
# The same commit once more on the same day has a name that stays, too.
if [ ${#tags[@]} -eq 0 ]; then
  tags=("$TAG-$day.$GITHUB_RUN_NUMBER.$GITHUB_RUN_ATTEMPT")
fi
for tag in "${tags[@]}"; do
  digest=$(leads_to "$REPOSITORY:$tag")
  if [ -n "$digest" ] && [ "$digest" != "$DIGEST" ]; then
    echo "::error::$tag leads to $digest by now: such a tag is never overwritten"
    exit 1
  fi
  give "$tag"
done

# The tag that moves comes last, so that it never leads to a build without the
# others; and it does not go back, as when an old run is run again.
now=$(leads_to "$REPOSITORY:$TAG")
revision=
if [ -n "$now" ]; then
  image="$RUNNER_TEMP/image"
  label='"org\.opencontainers\.image\.revision": *"[0-9a-f]{40}"'
  if docker buildx imagetools inspect --format '{{json .Image}}' "$REPOSITORY@$now" >"$image"; then
    revision=$(grep -oE "$label" "$image" | cut -d '"' -f 4) || revision=
    revision=${revision%%$'\n'*}
  fi
  # What is not in the history is not fetched.
  export GIT_NO_LAZY_FETCH=1 GIT_TERMINAL_PROMPT=0
  if [ -z "$revision" ] || ! git cat-file -e "$revision^{commit}" 2>/dev/null; then
    echo "::notice::whether $TAG leads to a newer commit's build is not known: it is moved"
    revision=
  fi
fi
if [ -n "$revision" ] && [ "$revision" != "$COMMIT" ] && git merge-base --is-ancestor "$COMMIT" "$revision"; then
  echo "::warning::$TAG stays with $now: that is of commit ${revision:0:7}, which is newer"
  echo "- \`$TAG\` stays with \`$now\`, of a newer commit" >>"$GITHUB_STEP_SUMMARY"
else
  give "$TAG"
fi
