# What a tag leads to; nothing, if it is not there. No answer is an error.
leads_to() {
  local told="$RUNNER_TEMP/told"
  if docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' "$REPOSITORY:$1" >"$told" 2>&1; then
    tr -d '"' <"$told"
  elif ! grep -q 'not found' "$told"; then
    cat "$told" >&2
    return 1
  fi
}

# A tag of a commit or of a day stays with the first build that has it.
day=${CREATED%%T*} day=${day//-/} tags=()
for tag in "$TAG-${COMMIT:0:7}" "$TAG-$day"; do
  digest=$(leads_to "$tag")
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

# The tag that moves comes last, so that it never leads to a build without the
# others. With its provenance a build is an index, which keeps its digest.
for tag in "${tags[@]}" "$TAG"; do
  docker buildx imagetools create --tag "$REPOSITORY:$tag" "$REPOSITORY@$DIGEST"
  echo "- \`$tag\` → \`$DIGEST\`" >>"$GITHUB_STEP_SUMMARY"
done
