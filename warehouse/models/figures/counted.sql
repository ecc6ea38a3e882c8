-- `counted`: every harmonised unit behind the statistics.
SELECT *, method <> 'delivered' AS estimated FROM unit WHERE excluded IS NULL
